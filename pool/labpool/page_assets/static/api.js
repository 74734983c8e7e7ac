// Asks the pool's API as a page of ours.

const UNREACHABLE = { detail: "The pool can't be reached now.", remedy: "Try again in a moment." };

const token = document.querySelector('meta[name="xsrf-token"]').content;

// {answer} of the pool, or {refused}: a problem with detail and remedy, and perhaps confirm
export async function ask(method, address, body) {
  try {
    const answer = await fetch(address, {
      method,
      headers: { "X-XSRFToken": token, Accept: "application/json", ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    const told = answer.status === 204 ? {} : await answer.json();
    return answer.ok ? { answer: told } : { refused: told };
  } catch {
    return { refused: UNREACHABLE };
  }
}

export async function busy(button, work) {
  button.disabled = true;
  await work();
  button.disabled = false;
}
