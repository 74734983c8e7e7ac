// The hub's links that act as buttons have no address, so no key reaches them: here they become what they look like.

for (const button of document.querySelectorAll('a[role="button"]:not([href])')) {
  button.tabIndex = 0;
  button.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    button.click();
  });
}
