// The hub's page of a start under way: on to the ticket as soon as the hub says that the start has to wait.

const log = document.getElementById("progress-log");

new MutationObserver(() => {
  const ticket = log.querySelector("a.labpool-ticket");
  if (ticket) location.replace(ticket.href);
}).observe(log, { childList: true, subtree: true });
