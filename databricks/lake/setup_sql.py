"""Puts names into the statements of setup/*.sql, and knows what may be taken down again.

The files have parameter markers: `IDENTIFIER(:name)` for names of objects, `:name` for texts. SQL takes these in all
of the statements only since Databricks Runtime 18 (before that, not in GRANT, and not for the URL of a location), so
they are filled in here, quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from lake.object_keys import TYPES

CREDENTIAL = "s3_sensor_data"
LAYERS = ("bronze", "silver", "gold")

# Stands in the properties of each schema that the setup made, and no other is ever dropped.
MARK = "iot_streaming.made_by"
MARK_VALUE = "setup"

_TOKEN = re.compile(r"--[^\n]*|'(?:[^'\\]|\\.)*'|`[^`]*`|IDENTIFIER\(:(\w+)\)|(?<!:):(\w+)|;", re.S)


@dataclass(frozen=True)
class Names:
    """What the setup is for. Groups and the service principal are who grants are for."""

    catalog: str
    schema_prefix: str
    bucket_prefix: str
    region: str
    service_principal: str
    engineers: str
    analysts: str

    def __post_init__(self) -> None:
        """Refuses what could not be a name, before anything is made."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value.strip() or "`" in value or "\n" in value:
                raise ValueError(f"{field.name} is {value!r}")
        for name in ("catalog", "schema_prefix"):
            if not re.fullmatch(r"[A-Za-z0-9_]+", getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it may have letters, digits and _ only")
        for name in ("bucket_prefix", "region"):
            if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)!r}, which is no part of a bucket's name")

    def bucket(self, type_: str) -> str:
        """The bucket of a pipeline type, and the name of its external location."""
        return f"{self.bucket_prefix}-databricks-{type_}-{self.region}"

    def schema(self, layer: str) -> str:
        """A schema's full name."""
        return schema_name(self.catalog, self.schema_prefix, layer)

    @property
    def volume(self) -> str:
        """The volume with schema locations and checkpoints of notebooks/02_autoloader."""
        return f"{self.schema('bronze')}.autoloader"

    def values(self) -> dict[str, str]:
        """What the parameters of setup/*.sql stand for."""
        return {
            "credential": CREDENTIAL,
            "catalog": self.catalog,
            "volume": self.volume,
            "service_principal": self.service_principal,
            "engineers": self.engineers,
            "analysts": self.analysts,
            "mark": MARK_VALUE,
            **{layer: self.schema(layer) for layer in LAYERS},
            **{f"location_{type_}": self.bucket(type_) for type_ in TYPES},
            **{f"url_{type_}": f"s3://{self.bucket(type_)}/" for type_ in TYPES},
        }


# Values that are dotted names of objects; the others are one name each, dots or not.
_QUALIFIED = {*LAYERS, "volume"}


def statements(sql: str, values: Mapping[str, str]) -> list[str]:
    """The statements of a file with the parameters filled in, without comments.

    Raises KeyError for a parameter without a value.
    """
    return [statement for statement in map(str.strip, _split(sql, values)) if statement]


def _split(sql: str, values: Mapping[str, str]) -> Iterator[str]:
    statement, end = "", 0
    for match in _TOKEN.finditer(sql):
        statement += sql[end : match.start()]
        end = match.end()
        token, identifier, text = match[0], match[1], match[2]
        if token == ";":
            yield statement
            statement = ""
        elif identifier:
            statement += quote(values[identifier], identifier in _QUALIFIED)
        elif text:
            statement += "'" + values[text].replace("\\", "\\\\").replace("'", "\\'") + "'"
        elif not token.startswith("--"):
            statement += token
    yield statement + sql[end:]


def quote(name: str, qualified: bool = False) -> str:
    """A name in backticks; of a qualified one, each part."""
    parts = name.split(".") if qualified else [name]
    return ".".join(f"`{part.replace('`', '``')}`" for part in parts)


def schema_name(catalog: str, prefix: str, layer: str) -> str:
    """The full name of a layer's schema."""
    return f"{catalog}.{prefix}_{layer}"


def find_schemas(spark: SparkSession, catalog: str, prefix: str) -> dict[str, bool]:
    """The schemas that are there, by their full names, and whether the setup has made them."""
    found = {}
    for name in (schema_name(catalog, prefix, layer) for layer in LAYERS):
        try:
            rows = spark.sql(f"DESCRIBE SCHEMA EXTENDED {quote(name, qualified=True)}").collect()
        except AnalysisException as error:
            if error.getCondition() not in ("SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG_EXCEPTION"):
                raise
            continue
        properties = "".join(str(row[1]) for row in rows if row[0] == "Properties")
        found[name] = f"({MARK},{MARK_VALUE})" in properties.replace(" ", "")
    return found


def teardown(catalog: str, prefix: str, confirmation: str, found: Mapping[str, bool]) -> list[str]:
    """The statements that drop the schemas in `found`, which is of :func:`find_schemas`, with all that is in them.

    Buckets, external locations, the credential and the catalog stay: others may use them. Raises ValueError, and drops
    nothing, unless `confirmation` is `{catalog}.{prefix}`, and where a schema is not one of the setup's.
    """
    expected = f"{catalog}.{prefix}"
    if not (catalog and prefix) or confirmation != expected:
        raise ValueError(f"Nothing was dropped. To drop all schemas of {expected}, let the widget confirm hold that.")
    foreign = [name for name, ours in found.items() if not ours]
    if foreign:
        raise ValueError(f"Nothing was dropped: the setup has not made {', '.join(foreign)}.")
    return [f"DROP SCHEMA {quote(name, qualified=True)} CASCADE" for name in found]
