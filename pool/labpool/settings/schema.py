"""pool.yaml's JSON Schema, for editors and other programs. hub_config/pool.schema.json is its committed form."""

from __future__ import annotations

import json
from typing import cast

from pydantic import JsonValue

from labpool.settings.pool_yaml import PoolYaml


def schema_text() -> str:
    """The schema as text, the same at each call."""
    schema = cast(JsonValue, PoolYaml.model_json_schema())
    return json.dumps(_without_noise({"$schema": _DIALECT, **_mapping(schema), "title": "pool.yaml"}), indent=2) + "\n"


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _without_noise(schema: JsonValue) -> JsonValue:
    """Without titles that repeat the key; names that break a pattern are refused, as labpool refuses them."""
    if isinstance(schema, list):
        return [_without_noise(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    is_schema = "type" in schema or "anyOf" in schema or "$ref" in schema
    clean = {
        key: _without_noise(value)
        for key, value in schema.items()
        if not (is_schema and key == "title" and value != "pool.yaml")
    }
    return {**clean, "additionalProperties": False} if "patternProperties" in clean else clean


def _mapping(schema: JsonValue) -> dict[str, JsonValue]:
    return schema if isinstance(schema, dict) else {}
