// A start that came second: on to what the first one led to. A moment later, so that the first one knows by then.

const A_MOMENT = 1000;
const asked = location.pathname.split("/spawn/")[1] ?? window.jhdata.user;

setTimeout(() => location.replace(`${window.jhdata.base_url}spawn-pending/${asked}`), A_MOMENT);
