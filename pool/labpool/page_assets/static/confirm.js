// Asks a question before something is done.

export function confirmed(dialog, question, yes) {
  dialog.querySelector("p").textContent = question;
  dialog.querySelector('[value="yes"]').textContent = yes;
  dialog.showModal();
  // not by its "close" event: that one comes later, and then finds the dialog of a quick second press
  return new Promise((resolve) => {
    dialog.querySelector("form").onsubmit = (event) => resolve(event.submitter.value === "yes");
    dialog.oncancel = () => resolve(false);
  });
}
