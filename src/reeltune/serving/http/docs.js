"use strict";
(async function () {
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  const description = await (await fetch("openapi.json")).json();
  const resolved = (schema) =>
    schema?.$ref ? description.components.schemas[schema.$ref.split("/").at(-1)] : schema;

  function kind(schema) {
    if (schema.anyOf) return schema.anyOf.map(kind).filter((name) => name !== "null").join(" or ");
    if (schema.type === "array") return `list of ${kind(schema.items)}`;
    return schema.$ref ? schema.$ref.split("/").at(-1) : schema.type;
  }

  function limits(schema) {
    const inner = (schema.anyOf ?? []).find((option) => option.type !== "null") ?? {};
    const all = { ...inner, ...schema };
    const range = (low, high, unit) =>
      low === undefined && high === undefined ? "" : `${low ?? 0} to ${high ?? "any"}${unit}`;
    return [
      range(all.minimum, all.maximum, ""),
      range(all.minLength, all.maxLength, " characters"),
      range(all.minItems, all.maxItems, " entries"),
      [undefined, null].includes(schema.default) || Array.isArray(schema.default) ? "" : `default ${JSON.stringify(schema.default)}`,
    ].filter(Boolean).join("; ");
  }

  function fields(rows) {
    const body = element("tbody");
    for (const { name, schema, isRequired, text } of rows) {
      body.append(element("tr", {},
        element("td", {}, element("code", {}, name), isRequired ? " *" : ""),
        element("td", {}, kind(schema)), element("td", {}, limits(schema)), element("td", {}, text ?? "")));
    }
    const head = element("tr", {}, ...["field", "type", "limits", ""].map((text) => element("th", {}, text)));
    return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), body));
  }

  const ofSchema = (schema) => Object.entries(schema.properties ?? {}).map(([name, field]) => ({
    name, schema: field, isRequired: (schema.required ?? []).includes(name), text: field.description,
  }));

  function example(path, method, schema) {
    const sample = schema?.examples?.[0];
    const body = sample ? ` -H 'content-type: application/json' \\\n  -d '${JSON.stringify(sample)}'` : "";
    const query = { "/similar": "?movie=Toy+Story+(1995)", "/movies": "?q=toy" }[path] ?? "";
    return `curl${method === "post" && !sample ? " -X POST" : ""} '${location.origin}${path}${query}'${body}`;
  }

  const parts = [];
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const schema = resolved(operation.requestBody?.content["application/json"].schema);
      const part = element("section", { class: "operation" },
        element("h2", {}, element("small", {}, method.toUpperCase()), " ", path),
        element("p", {}, operation.description ?? operation.summary));
      const parameters = (operation.parameters ?? []).map((given) => ({
        name: given.name, schema: given.schema, isRequired: given.required, text: given.description,
      }));
      if (parameters.length) part.append(fields(parameters));
      if (schema) part.append(fields(ofSchema(schema)));
      const refusals = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
      for (const [status, { description: text }] of refusals) {
        part.append(element("p", { class: "note" }, `${status}: ${text}`));
      }
      part.append(element("pre", { tabindex: "0" }, example(path, method, schema)));
      parts.push(part);
    }
  }
  document.getElementById("paths").replaceChildren(...parts);
})();
