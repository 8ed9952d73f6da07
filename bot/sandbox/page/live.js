// What the server tells this tab, as it happens. The connection comes back by itself; whoever was away is brought up
// to date by loading everything again, while what arrives meanwhile waits its turn.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;

/**
 * `hear(event)` gets each event; `catchUp()` runs at every (re)connection and is awaited; `state(bool)` says whether we
 * are connected. Returns a function that hangs up for good.
 */
export function listen(as, { hear, catchUp, state }) {
  let over = false;
  let socket = null;
  let wait = FIRST_WAIT_MS;
  let timer = 0;

  function connect() {
    const address = new URL("page/live", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.search = new URLSearchParams({ as });
    address.hash = "";
    socket = new WebSocket(address);
    let held = [];
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (held) held.push(event);
      else if (!over) hear(event);
    };
    socket.onopen = async () => {
      wait = FIRST_WAIT_MS;
      const caughtUp = await catchUp();
      if (over) return;
      if (!caughtUp) { socket.close(); return; }
      state(true);
      const waiting = held;
      held = null;
      waiting.forEach(hear);
    };
    socket.onclose = () => {
      if (over) return;
      state(false);
      timer = setTimeout(connect, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    };
  }

  connect();
  return () => {
    over = true;
    clearTimeout(timer);
    socket?.close();
  };
}
