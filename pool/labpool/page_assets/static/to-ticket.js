// The hub's page after a start that has to wait: on to the ticket.

location.replace(document.getElementById("labpool-ticket").href);
