// Home and "my tickets": fresh every ten seconds while somebody looks.

import { Fresh } from "./fresh.js";
import { keepTimes } from "./times.js";

const token = document.querySelector('meta[name="xsrf-token"]')?.content;
const said = document.getElementById("labpool-connection");

keepTimes(document);
export const fresh = new Fresh(location.pathname, 10, {
  headers: token ? { "X-XSRFToken": token } : {},
  lost: (words) => {
    said.textContent = words;
    said.hidden = !words;
  },
});
