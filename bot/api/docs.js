// Draws /openapi.json and lets one try a call. Text only: nothing of the document or of an answer becomes markup.
"use strict";

const make = (tag, text, ...inside) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  element.append(...inside);
  return element;
};

const named = (tag, name, text, ...inside) => {
  const element = make(tag, text, ...inside);
  element.className = name;
  return element;
};

const resolve = (api, schema) =>
  schema && schema.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema;

const kind = (api, schema) => {
  const own = schema || {};
  if (own.$ref) return own.$ref.split("/").pop();
  if (own.anyOf) return own.anyOf.map((each) => kind(api, each)).join(" | ");
  if (own.enum) return own.enum.join(" | ");
  if (own.const !== undefined) return String(own.const);
  return own.type === "array" ? `list of ${kind(api, own.items)}` : own.type || "any";
};

const fields = (api, schema) => {
  const whole = resolve(api, schema) || {};
  const table = make("table");
  for (const [name, each] of Object.entries(whole.properties || {})) {
    const needed = (whole.required || []).includes(name) ? "needed" : "";
    const row = make("tr", "", make("td", "", make("code", name)), make("td", kind(api, each)));
    row.append(make("td", needed), make("td", each.description || ""));
    table.append(row);
  }
  return table;
};

const example = (api, schema) => {
  const own = resolve(api, schema) || {};
  if (own.anyOf) return example(api, own.anyOf[0]);
  if (own.enum) return own.enum[0];
  if (own.type === "object") {
    const needed = Object.entries(own.properties || {}).filter(([name]) => (own.required || []).includes(name));
    return Object.fromEntries(needed.map(([name, each]) => [name, example(api, each)]));
  }
  if (own.type === "array") return own.items && own.minItems ? [example(api, own.items)] : [];
  return { string: "", number: 0, integer: 0, boolean: true }[own.type] ?? null;
};

const answerOf = async (method, path, operation, inputs, body) => {
  const headers = { Authorization: `Bearer ${document.getElementById("token").value}` };
  const query = new URLSearchParams();
  let address = path;
  for (const { name, where, input } of inputs) {
    if (!input.value) continue;
    if (where === "path") address = address.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (where === "query") query.set(name, input.value);
    else headers[name] = input.value;
  }
  if (body) headers["Content-Type"] = "application/json";
  const asked = `${address}${query.size ? `?${query}` : ""}`;
  const response = await fetch(asked, { method, headers, body: body ? body.value : undefined });
  const text = await response.text();
  let told = text;
  try { told = JSON.stringify(JSON.parse(text), null, 2); } catch { /* no JSON: as it is */ }
  return `${method} ${asked}\n${response.status} ${response.statusText}\n\n${told}`;
};

const tryOut = (api, method, path, operation) => {
  const form = make("div");
  const inputs = operation.parameters.map((each) => {
    const input = make("input");
    form.append(make("label", `${each.name} `, input));
    return { name: each.name, where: each.in, input };
  });
  const schema = operation.requestBody?.content["application/json"].schema;
  const body = schema ? make("textarea") : null;
  if (body) {
    body.value = JSON.stringify(example(api, schema), null, 2);
    form.append(body);
  }
  const button = make("button", "Try it");
  const result = make("pre");
  result.hidden = true;
  button.addEventListener("click", async () => {
    result.hidden = false;
    result.textContent = "…";
    try {
      result.textContent = await answerOf(method, path, operation, inputs, body);
    } catch (error) {
      result.textContent = String(error);
    }
  });
  if (operation.operationId !== "events") form.append(button, result);
  return form;
};

const drawn = (api, path, verb, operation) => {
  const method = verb.toUpperCase();
  const head = make("summary", "", named("span", "method", method), make("code", path), ` ${operation.summary}`);
  const inside = named("div", "inside");
  if (operation.description) inside.append(make("p", operation.description));
  const schema = operation.requestBody?.content["application/json"].schema;
  if (schema) inside.append(make("h4", "Body"), fields(api, schema));
  inside.append(make("h4", "Answers"));
  for (const [status, answer] of Object.entries(operation.responses)) {
    const content = Object.values(answer.content)[0].schema;
    const line = make("details", "", make("summary", `${status}  ${answer.description}`));
    line.append(named("div", "inside", "", fields(api, content)));
    inside.append(line);
  }
  inside.append(make("h4", "Try it"), tryOut(api, method, path, operation));
  return make("details", "", head, inside);
};

const draw = async () => {
  const api = await (await fetch("/openapi.json")).json();
  document.getElementById("about").textContent = api.info.description;
  const groups = new Map();
  for (const [path, verbs] of Object.entries(api.paths)) {
    for (const [verb, operation] of Object.entries(verbs)) {
      const [tag] = operation.tags;
      if (!groups.has(tag)) groups.set(tag, make("section", "", make("h2", tag)));
      groups.get(tag).append(drawn(api, path, verb, operation));
    }
  }
  document.getElementById("operations").replaceChildren(...groups.values());
};

draw();
