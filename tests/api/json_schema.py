"""As much of JSON Schema 2020-12 as openapi.json uses: whether a value is as a schema says. Standard library only.
What it does not know, it refuses to judge."""
import re

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
_FORMATS = {
    "uuid": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    # RFC 3339; what the server itself says has milliseconds, and is in UTC (base/time_test.cpp).
    "date-time": re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"),
    "uri": re.compile(r"[a-z]+:\S+"),
}
_KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "oneOf", "anyOf", "allOf",
          "$ref", "format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern",
          "description", "examples", "example", "default", "contentMediaType", "title", "deprecated", "discriminator"}


def resolve(schema, root):
    while "$ref" in schema:
        found = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        schema = found
    return schema


def _is(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool) or isinstance(value, float) and value.is_integer()
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, _TYPES[name])


def faults(value, schema, root, at="$"):
    """Sentences about what is not as the schema says; none: it is valid."""
    schema = resolve(schema, root)
    strange = set(schema) - _KNOWN
    if strange:
        raise ValueError(f"{at}: the schema has {strange}, which is not judged here")
    types = schema.get("type")
    if types is not None and not any(_is(value, t) for t in ([types] if isinstance(types, str) else types)):
        return [f"{at} is {value!r:.80} and not {types}"]
    found = []
    for name in ("oneOf", "anyOf"):
        if name in schema:
            tried = [faults(value, s, root, at) for s in schema[name]]
            fit = sum(not t for t in tried)
            if fit == 0 or name == "oneOf" and fit > 1:
                found.append(f"{at} fits {fit} of {name}: {min(tried, key=len)}")
    for part in schema.get("allOf", []):
        found += faults(value, part, root, at)
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at} is {value!r}, not one of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at} is {value!r}, not {schema['const']!r}")
    if isinstance(value, dict):
        found += _faults_of_object(value, schema, root, at)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            found += faults(item, schema.get("items", {}), root, f"{at}[{i}]")
    elif isinstance(value, str):
        pattern = _FORMATS.get(schema.get("format", ""))
        if pattern and not pattern.fullmatch(value):
            found.append(f"{at} is {value!r}, no {schema['format']}")
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            found.append(f"{at} has {len(value)} characters")
    elif _is(value, "number"):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            found.append(f"{at} is {value}")
    return found


def _faults_of_object(value, schema, root, at):
    found = [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            found += faults(item, properties[name], root, f"{at}.{name}")
        elif more is False:
            found.append(f"{at}.{name} is not described")
        elif isinstance(more, dict):
            found += faults(item, more, root, f"{at}.{name}")
    return found
