// A surface is one thing that holds blocks: a message, a dialog, a Home tab. It remembers what people typed into its
// inputs and which buttons still wait for the app, so that the blocks can be drawn anew at any moment without loss.
// As in Slack, an input survives an update only if its block_id and action_id stay the same.

import { withConfirmation } from "./dialogs.js";
import { notice } from "./notices.js";
import { act, sentence } from "./server.js";
import { workspace } from "./workspace.js";

export class Surface {
  /** `container` is what the server wants with a click; `root` holds the drawn blocks, `redraw` draws them again. */
  constructor(container, root, redraw) {
    this.container = container;
    this.root = root;
    this.redraw = redraw;
    this.answers = new Map(); // what people entered; outlives drawings
    this.before = new Map(); // what an answer was until its last change
    this.fields = new Map(); // the inputs of the current drawing, with their state
    this.waiting = new Set(); // clicked and not yet acknowledged
    this.errors = {}; // block_id → sentence
    this.unfolded = new Set(); // long texts that somebody opened
  }

  /** Take over `state.values` as if it had been entered here. */
  remember(values = {}) {
    for (const [blockId, actions] of Object.entries(values)) {
      for (const [actionId, state] of Object.entries(actions)) this.answers.set(keyOf(blockId, { action_id: actionId }), state);
    }
  }

  /** Call before drawing: inputs that are not drawn again are forgotten. */
  begin() {
    this.fields.clear();
  }

  /** An input of this drawing begins with what was entered before, else with its initial state. */
  field(blockId, element, initial) {
    const key = keyOf(blockId, element);
    const entered = this.answers.get(key);
    const state = entered?.type === element.type ? entered : initial;
    this.fields.set(key, { blockId, actionId: element.action_id, state });
    return state;
  }

  enter(blockId, element, state) {
    const key = keyOf(blockId, element);
    const field = this.fields.get(key);
    this.before.set(key, field?.state);
    this.answers.set(key, state);
    if (field) field.state = state;
  }

  #takeBack(key) {
    if (!this.before.has(key)) return;
    this.answers.set(key, this.before.get(key));
    this.redraw();
  }

  /** What Slack sends as `state.values`. */
  state() {
    const values = {};
    for (const { blockId, actionId, state } of this.fields.values()) {
      values[blockId] = { ...values[blockId], [actionId]: state };
    }
    return values;
  }

  isWaiting(blockId, element) {
    return this.waiting.has(keyOf(blockId, element));
  }

  /** Send a click (or a choice) to the app, after its confirmation, and show on the element that it is on its way. */
  async press(blockId, element, value) {
    const key = keyOf(blockId, element);
    if (this.waiting.has(key)) return;
    if (!(await withConfirmation(element.confirm))) {
      this.#takeBack(key);
      return;
    }
    this.waiting.add(key);
    this.#show(blockId, element, true);
    const result = await act(workspace.me.id, "click", {
      container: this.container, block_id: blockId, action_id: element.action_id, value, state: this.state(),
    });
    this.waiting.delete(key);
    this.#show(blockId, element, false);
    if (!result.ok) notice(sentence(result), "error");
  }

  // On the drawn element itself: drawing anew here would pull it away from under the pointer.
  #show(blockId, element, waiting) {
    const drawn = `[data-block-id=${CSS.escape(blockId)}][data-action-id=${CSS.escape(element.action_id)}]`;
    for (const node of this.root.querySelectorAll(drawn)) {
      if (waiting) node.setAttribute("aria-busy", "true");
      else node.removeAttribute("aria-busy");
    }
  }
}

const keyOf = (blockId, element) => `${blockId}\u0000${element.action_id}`;
