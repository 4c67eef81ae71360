"""SQL of a contract.

What is refused, what is run, that it means what its author wrote, and that each function of Spark
has been decided on.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.contract.model import Contract, Field, Model, Quality, Scalar, Struct
from datamaster_kit.contract.quality.rule import render_query
from datamaster_kit.contract.quality.rules import Rule, rules
from datamaster_kit.contract.sql.functions import (
    ALLOWED_FUNCTIONS,
    REFUSED_FUNCTIONS,
    function_refusal,
)
from datamaster_kit.contract.sql.judge import literal_text, parse_contract_sql, render_tree_sql
from datamaster_kit.contract.sql.query import read_query, render_placeholders
from datamaster_kit.contract.sql.sqltype import parse_sql_type, sql_literal
from datamaster_kit.ingest.rows import rule_breaches_sql

ACCOUNT = Model(
    "account",
    (
        *(
            Field(name, parse_sql_type(kind))
            for name, kind in (
                ("id", "BIGINT"),
                ("name", "STRING"),
                ("balance", "DECIMAL(18,2)"),
                ("opened", "DATE"),
                ("seen", "TIMESTAMP"),
                ("tags", "ARRAY<STRING>"),
                ("parts", "MAP<STRING, INT>"),
                ("is_open", "BOOLEAN"),
            )
        ),
        Field("address", Struct((Field("city"), Field("zip")))),
        Field("doc", Scalar("string")),
    ),
)
BRANCH = Model("branch", (Field("id", Scalar("long")), Field("city")))
BANK = Contract("urn:bank", models=(ACCOUNT, BRANCH))

REFUSED = [
    "SELECT max(aggregate(sequence(1, 60), 'x', (a, b) -> a || a)) FROM account",
    "SELECT max(reduce(tags, name, (a, b) -> concat(a, b, a))) FROM account",
    "SELECT max(cardinality(aggregate(tags, array(1), (a, b) -> flatten(array(a, a))))) FROM "
    "account",
    "SELECT max(aggregate(tags, name, (a, b) -> replace(a, 'x', a))) FROM account",
    "SELECT max(aggregate(tags, name, (a, b) -> regexp_replace(a, 'x', 'xx'))) FROM account",
    "SELECT max(aggregate(tags, name, (a, b) -> hex(a))) FROM account",
    "SELECT max(aggregate(tags, name, (a, b) -> format_string('%1$s%1$s', a))) FROM account",
    "SELECT max(aggregate(tags, tags, (a, b) -> transform(a, x -> x || x))[0]) FROM account",
    "SELECT max(aggregate(tags, name, (a, b) -> array_join(transform(tags, x -> a), ''))) "
    "FROM account",
    "SELECT max(aggregate(tags, struct(name AS x), (a, b) -> struct(a.x || a.x AS x)).x) "
    "FROM account",
    "SELECT max(length(s)) FROM "
    + "(SELECT s || s || s || s || s || s || s || s AS s FROM " * 7
    + "(SELECT name AS s FROM account)"
    + ")" * 7,
    "WITH "
    + ", ".join(
        f"c{n} AS (SELECT concat(s, s, s, s, s, s, s, s) AS s FROM "
        f"{f'c{n - 1}' if n else '(SELECT name AS s FROM account)'})"
        for n in range(7)
    )
    + " SELECT max(s) FROM c6",
    "SELECT max(replace(replace(replace(name, 'a', '"
    + "a" * 200
    + "'), 'a', '"
    + "a" * 200
    + "'), 'a', '"
    + "a" * 200
    + "')) FROM account",
    "SELECT max(cardinality(array_insert(tags, 2000000000, 'x'))) FROM account",
    "SELECT max(format_number(id, 2000000000)) FROM account",
    "SELECT max(round(double(balance), 600000000)) FROM account",
    "SELECT max(ceil(balance, id)) FROM account",
    "SELECT approx_count_distinct(id, 0.000001) FROM account",
    "SELECT count_min_sketch(id, 0.0000000001D, 0.5D, 1) FROM account",
    "SELECT count(*) FROM (SELECT window(seen, '1 day', '1 microsecond') FROM account)",
    "SELECT max(parse_url(name, 'QUERY', '((a+)+)+')) FROM account",
    "SELECT max(parse_url(name, 'QUERY', name)) FROM account",
    "SELECT max(from_csv(name, 'a INT', map('maxColumns', '2000000000')).a) FROM account",
    "SELECT max(seen - INTERVAL 1 YEAR 2 MONTHS) FROM account",
    "SELECT max(seen + INTERVAL 1 DAY 2 HOURS) FROM account",
    "FROM account |> LIMIT 1 |> WHERE id > 1 |> AGGREGATE count(*)",
    "FROM account |> SELECT id |> DISTINCT |> SELECT count(*)",
    "SELECT max(CAST(name AS TIME)) FROM account",
    "SELECT max(TIME'10:00:00') FROM account",
    "SELECT max(CAST(name AS DATETIME)) FROM account",
    "SELECT max(CAST(name AS JSON)) FROM account",
    "SELECT max(CAST(name AS INT8)) FROM account",
    "SELECT max(CAST(name AS TIMESTAMP WITHOUT TIME ZONE)) FROM account",
    "SELECT DISTINCT ON (name) id FROM account",
    "SELECT count(*) FROM account WHERE id BETWEEN SYMMETRIC 2 AND 1",
    "SELECT count(*) FROM account WHERE id = 1 = is_open",
    "SELECT count(*) FROM account WHERE is_open = id IN (1)",
    "SELECT count(*) FROM account ASOF JOIN branch ON true",
    "SELECT count(*) FROM account WHERE name RLIKE ANY ('a')",
    "SELECT count(*) FROM account WHERE id = ANY (SELECT id FROM branch)",
    "SELECT max(seen AT TIME ZONE 'UTC') FROM account",
    "SELECT max(s) FROM (SELECT sum(id) OVER (ORDER BY id ROWS 1 PRECEDING EXCLUDE CURRENT "
    "ROW) s FROM account)",
    "SELECT max(repeat(repeat(repeat(name, 10000), 10000), 10000)) FROM account",
    "SELECT max(array_join(array_repeat(repeat(name, 9999), 9999), '')) FROM account",
    "SELECT max(cardinality(transform(sequence(1, 9999), x -> sequence(1, 9999)))) FROM account",
    "SELECT max(length(lpad(repeat(upper(repeat(name, 5000)), 5000), 20))) FROM account",
    "SELECT max(length(repeat(name, 2000000000))) FROM account",
    "SELECT count(*) FROM (SELECT stack(2147483647, 1) FROM account)",
    "SELECT max(space(id)) FROM account",
    "SELECT max(lpad(name, 2147483647, 'x')) FROM account",
    "SELECT count(*) FROM (SELECT explode(sequence(1, 100000000)) AS n)",
    "SELECT max(cardinality(sequence(1, id))) FROM account",
    "SELECT max(cardinality(array_repeat(name, 2000000000))) FROM account",
    "SELECT max(format_string('%2147483647d', id)) FROM account",
    "SELECT max(format_string(name, id)) FROM account",
    "SELECT max(cardinality(sequence(opened, opened, INTERVAL 1 SECOND))) FROM account",
    "SELECT max(_metadata.file_path) FROM account",
    "SELECT max(a._metadata.file_path) FROM account a",
    "SELECT max(_metadata) FROM account",
    "SELECT count(*) FROM account WHERE id = 0x1F",
    "SELECT id FROM account QUALIFY row_number() OVER (ORDER BY id) = 1",
    "SELECT count(*) FROM (SELECT TRANSFORM(id) USING 'sh -c \"id > pwned; cat\"' AS (x "
    "STRING) FROM account) t",
    "SELECT TRANSFORM(id) USING 'cat' FROM account",
    "FROM account MAP id USING 'sh'",
    "FROM account REDUCE id USING 'sh' AS x",
    "SELECT MAP(id) USING 'sh' FROM account",
    "FROM account SELECT TRANSFORM(*) ROW FORMAT DELIMITED USING 'sh'",
    "SELECT reflect('java.lang.System', 'getenv') FROM account",
    "SELECT `reflect`('java.lang.System', 'getenv') FROM account",
    "SELECT system.builtin.reflect('a', 'b') FROM account",
    "SELECT java_method('a', 'b') FROM account",
    "SELECT try_reflect('a', 'b') FROM account",
    "SELECT REFLECT/**/('a', 'b') FROM account",
    "SELECT re/**/flect('a', 'b') FROM account",
    "SELECT ai_query('m', name) FROM account",
    "SELECT ai_gen(name) FROM account",
    "SELECT count(*) FROM ai_forecast(TABLE(account))",
    "SELECT vector_search(index => 'a', query => 'b') FROM account",
    "SELECT http_request(conn => 'c', method => 'GET', path => '/') FROM account",
    "SELECT secret('scope', 'key') FROM account",
    "SELECT try_secret('scope', 'key') FROM account",
    "SELECT list_secrets() FROM account",
    "SELECT * FROM read_files('/etc/passwd')",
    "SELECT * FROM STREAM read_files('/x')",
    "SELECT * FROM cloud_files('/x', 'csv')",
    "SELECT * FROM read_kafka('x')",
    "SELECT * FROM remote_query('c', query => 'select 1')",
    "SELECT * FROM table_changes('account', 0)",
    "SELECT * FROM event_log('x')",
    "SELECT * FROM range(1000000000000)",
    "SELECT * FROM python_worker_logs()",
    "SELECT * FROM sql_keywords()",
    "SELECT * FROM csv.`/etc/passwd`",
    "SELECT * FROM delta.`/etc`",
    "SELECT * FROM text.`/etc/passwd`",
    "SELECT * FROM `csv`.`/etc/passwd`",
    "SELECT * FROM system.access.audit",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM spark_catalog.silver.account",
    "SELECT * FROM other",
    "SELECT * FROM IDENTIFIER('account')",
    "SELECT IDENTIFIER('id') FROM account",
    "SELECT * FROM account VERSION AS OF 1",
    "SELECT * FROM account TIMESTAMP AS OF '2020-01-01'",
    "SELECT * FROM account@v1",
    "SELECT * FROM account TABLESAMPLE (10 ROWS)",
    "SELECT /*+ BROADCAST(account) */ id FROM account",
    "SELECT /*+ COALESCE(1) */ id FROM account",
    "SELECT id FROM account; SELECT 1",
    "SELECT 1; DROP TABLE account",
    "DROP TABLE account",
    "INSERT INTO account SELECT 1",
    "DELETE FROM account",
    "UPDATE account SET id = 1",
    "MERGE INTO account USING branch ON true WHEN MATCHED THEN DELETE",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMPORARY FUNCTION f AS 'x'",
    "CREATE FUNCTION f() RETURNS INT RETURN 1",
    "SET spark.sql.variable.substitute = true",
    "SET VAR a = 1",
    "RESET",
    "USE other",
    "ADD JAR '/tmp/x.jar'",
    "ADD FILE '/etc/passwd'",
    "LIST JARS",
    "CACHE TABLE account",
    "REFRESH TABLE account",
    "ANALYZE TABLE account COMPUTE STATISTICS",
    "DESCRIBE account",
    "SHOW TABLES",
    "EXPLAIN SELECT 1",
    "TRUNCATE TABLE account",
    "COPY INTO account FROM '/x'",
    "EXECUTE IMMEDIATE 'DROP TABLE account'",
    "BEGIN SELECT 1; END",
    "DECLARE x INT",
    "CALL p()",
    "GRANT SELECT ON TABLE account TO x",
    "INSERT OVERWRITE DIRECTORY '/tmp/x' SELECT * FROM account",
    "SELECT id INTO x FROM account",
    "VACUUM account",
    "OPTIMIZE account",
    "LOAD DATA INPATH '/x' INTO TABLE account",
    "EXPORT x",
    "SELECT ? FROM account",
    "SELECT :name FROM account",
    "SELECT ${env:HOME} FROM account",
    "SELECT $1 FROM account",
    "SELECT ${foo} FROM account",
    "SELECT count(*) FROM account WHERE `a${env:HOME}` = 1",
    "SELECT current_user() FROM account",
    "SELECT current_user FROM account",
    "SELECT user FROM account",
    "SELECT `user` FROM account",
    "SELECT session_user FROM account",
    "SELECT current_catalog FROM account",
    "SELECT `current_database` FROM account",
    "SELECT version() FROM account",
    "SELECT input_file_name() FROM account",
    "SELECT is_account_group_member('admins') FROM account",
    "SELECT is_member('x') FROM account",
    "SELECT assert_true(false) FROM account",
    "SELECT raise_error('x') FROM account",
    "SELECT rand() FROM account",
    "SELECT uuid() FROM account",
    "SELECT monotonically_increasing_id() FROM account",
    "SELECT shuffle(tags) FROM account",
    "SELECT aes_decrypt(name, 'k') FROM account",
    "SELECT from_avro(name, 'x', map('avroSchemaUrl', 'file:///etc/passwd')) FROM account",
    "SELECT from_xml(name, 'a INT', map('rowValidationXSDPath', '/etc/passwd')) FROM account",
    "SELECT xpath(name, 'a') FROM account",
    "SELECT count_min_sketchy(id) FROM account",
    "SELECT main.evil.f(id) FROM account",
    "SELECT evil.f(id) FROM account",
    "SELECT transform(tags, x -> reflect('a', x)) FROM account",
    "SELECT * FROM account LATERAL VIEW reflect('a', 'b') t AS x",
    "SELECT * FROM account, LATERAL evil(id)",
    "SELECT * FROM account LATERAL VIEW evil.f(id) t AS x",
    "WITH t AS (SELECT secret('a', 'b') x) SELECT count(*) FROM t",
    "SELECT count(*) FROM account WHERE id IN (SELECT ai_query('a', 'b'))",
    "SELECT sum(id) OVER (ORDER BY reflect('a', 'b')) FROM account",
    "SELECT CASE WHEN uuid() = 'a' THEN 1 END FROM account",
    "WITH RECURSIVE t AS (SELECT 1 n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "SELECT 'a",
    "SELECT /* open FROM account",
    "SELECT CAST(id AS evil) FROM account",
    "SELECT 1 FROM account CLUSTER BY id",
    "SELECT * FROM account PIVOT (reflect('a') FOR id IN (1))",
    "TABLE account",
    "SELECT $$x$$",
    "VALUES (reflect('a', 'b'))",
    "SELECT * FROM VALUES (secret('a', 'b')) AS t(x)",
    "reflect('a', 'b') = 1",
    "true) OR (SELECT 1",
    "1 = 1) --",
    "id > (SELECT 1 FROM secrets)",
    "balance > 0; DROP TABLE account",
    "",
    ";",
    "--",
    "SELECT",
    "\ue0000",
]

ACCEPTED = [
    "SELECT max(substring(name FROM 2)), max(substring(name FROM 1 FOR 2)), max(substr(name, "
    "1, 2)) FROM account",
    "SELECT max(overlay(name PLACING 'x' FROM 1)), max(overlay(name PLACING 'x' FROM 1 FOR "
    "2)), max(overlay(name, 'x', 1)) FROM account",
    "SELECT count(*) FROM (SELECT window(seen, '1 day') AS w, count(*) AS n FROM account "
    "GROUP BY window(seen, '1 day'))",
    "SELECT count(*) FROM account GROUP BY window(seen, '1 hour', '15 minutes')",
    "SELECT array(1, 2)[0], array(array(3))[0][0]",
    "SELECT max(id & 1 << 2), max(id << 1 >> 1) FROM account",
    "SELECT count(*) FROM (WITH t AS (SELECT id FROM account) SELECT * FROM t) JOIN (WITH t "
    "AS (SELECT id FROM branch) SELECT * FROM t) ON true",
    "(SELECT count(*) FROM account)",
    "SELECT max(seen - INTERVAL '1 year 2 months') FROM account",
    "SELECT max(aggregate(tags, '', (a, b) -> a || b)) FROM account",
    "SELECT max(aggregate(tags, 0, (a, b) -> a + length(b) * a)) FROM account",
    "SELECT max(aggregate(tags, struct(0 AS s, 0 AS n), (a, b) -> struct(a.s + length(b) AS "
    "s, a.n + 1 AS n), a -> a.s / a.n)) FROM account",
    "SELECT max(cardinality(aggregate(tags, CAST(array() AS ARRAY<STRING>), (a, b) -> CASE "
    "WHEN array_contains(a, b) THEN a ELSE array_append(a, b) END))) FROM account",
    "SELECT max(round(balance, 2)), max(ceil(balance)), max(format_number(balance, 2)) FROM "
    "account",
    "SELECT approx_count_distinct(id, 0.05) FROM account",
    "SELECT max(parse_url(name, 'QUERY', 'utm_source')) FROM account",
    "SELECT max(from_csv(name, 'a INT, b STRING', map('sep', ';')).a) FROM account",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM account)",
    "SELECT count(*) WHERE (SELECT max(id) FROM account) > 0",
    "SELECT max(lpad(concat(repeat('0', 3), rpad(name, 200)), 2000)) FROM account",
    "SELECT max(lpad(name, 14, '0')) FROM account",
    "SELECT max(cardinality(sequence(opened, DATE'2024-03-01', INTERVAL 1 DAY))) FROM account",
    "SELECT max(cardinality(sequence(10, 1, -1))) FROM account",
    "SELECT max(repeat(name, 3)) FROM account",
    "SELECT count(*) FROM account",
    "SELECT COUNT(*) FROM account WHERE balance < 0",
    "SELECT count(DISTINCT name) FROM account",
    "SELECT sum(balance) FROM account",
    "SELECT avg(balance) FROM account WHERE is_open",
    "SELECT count(*) FROM account WHERE name RLIKE '^[A-Z]\\\\w+$'",
    "SELECT count(*) FROM account WHERE name REGEXP r'^\\w+$'",
    "SELECT count(*) FROM account WHERE name LIKE 'A%'",
    "SELECT count(*) FROM account WHERE name ILIKE 'a_a'",
    "SELECT count(*) FROM account WHERE name LIKE ANY ('A%', 'B%')",
    "SELECT count(*) FROM account WHERE name LIKE '%!%%' ESCAPE '!'",
    "SELECT count(*) FROM account WHERE name = 'it''s' OR name = \"it's\"",
    "SELECT length('a\\u0041\\n\\t\\101\\\\') FROM account",
    "SELECT max(length('$' '{x}')) FROM account",
    "SELECT max('${env:HOME}') FROM account",
    "SELECT count(*) FROM account WHERE name <=> NULL",
    "SELECT count(*) FROM account WHERE name IS NOT DISTINCT FROM 'Ana'",
    "SELECT count(*) FROM account WHERE id BETWEEN 1 AND 3 AND id NOT IN (2)",
    "SELECT count(*) FROM account WHERE NOT is_open OR !is_open",
    "SELECT count(*) FILTER (WHERE balance > 0) FROM account",
    "SELECT count_if(balance > 0) / count(*) FROM account",
    "SELECT 100.0 * sum(CASE WHEN name IS NULL THEN 1 ELSE 0 END) / count(1) FROM account",
    "SELECT max(CASE is_open WHEN true THEN 1 ELSE 2 END) FROM account",
    "SELECT max(if(is_open, 1, 0)) FROM account",
    "SELECT max(coalesce(name, nvl(name, nullif('a', 'b')))) FROM account",
    "SELECT max(id::string) FROM account",
    "SELECT max(CAST(balance AS DECIMAL(20, 4))) FROM account",
    "SELECT max(try_cast(name AS INT)) FROM account",
    "SELECT max(id + 1L - 2 * 3 % 2) FROM account",
    "SELECT max(id DIV 2), min(-id) FROM account",
    "SELECT max(id & 1 | 2 ^ 3), max(~id) FROM account",
    "SELECT max(name || '-' || id) FROM account",
    "SELECT max(1.5D), max(1e3), max(3BD), max(2S) FROM account",
    "SELECT max(X'1F') FROM account",
    "SELECT max(opened + INTERVAL 1 DAY) FROM account",
    "SELECT max(seen - INTERVAL '2' HOUR) FROM account",
    "SELECT count(*) FROM account WHERE opened > DATE'2020-01-01'",
    "SELECT count(*) FROM account WHERE seen >= TIMESTAMP'2020-01-01 00:00:00'",
    "SELECT max(date_add(opened, 1)), max(datediff(opened, DATE'2020-01-01')) FROM account",
    "SELECT max(dateadd(DAY, 1, opened)) FROM account",
    "SELECT max(datediff(MONTH, opened, seen)) FROM account",
    "SELECT max(timestampdiff(HOUR, seen, seen)) FROM account",
    "SELECT max(date_format(seen, 'yyyy-MM-dd HH:mm')) FROM account",
    "SELECT max(to_date('01/02/2020', 'dd/MM/yyyy')) FROM account",
    "SELECT max(extract(YEAR FROM opened)), max(year(opened)) FROM account",
    "SELECT max(date_trunc('month', seen)) FROM account",
    "SELECT count(*) FROM account WHERE opened > current_date",
    "SELECT count(*) FROM account WHERE seen > now() - INTERVAL 7 DAYS",
    "SELECT count(*) FROM account WHERE seen > current_timestamp",
    "SELECT max(trim(BOTH 'x' FROM name)), max(upper(trim(name))) FROM account",
    "SELECT max(substring(name, 1, 2)), max(left(name, 1)), max(replace(name, 'a', 'b')) "
    "FROM account",
    "SELECT max(split(name, ',')[0]) FROM account",
    "SELECT max(regexp_replace(name, '(\\\\w)', '$1-')) FROM account",
    "SELECT max(format_string('%05d', id)) FROM account",
    "SELECT max(tags[0]), max(parts['a']) FROM account",
    "SELECT max(address.city) FROM account",
    "SELECT max(a.address.city) FROM account a",
    "SELECT count(*) FROM account WHERE exists(tags, x -> x = 'a')",
    "SELECT max(cardinality(filter(tags, x -> x IS NOT NULL))) FROM account",
    "SELECT max(aggregate(transform(tags, (x, i) -> i), 0, (acc, x) -> acc + x)) FROM account",
    "SELECT max(map_keys(parts)[0]) FROM account",
    "SELECT max(to_json(named_struct('a', id))) FROM account",
    "SELECT max(to_json(struct(id AS x, name))) FROM account",
    "SELECT max(get_json_object(doc, '$.a')) FROM account",
    "SELECT max(from_json(doc, 'a INT').a) FROM account",
    "SELECT max(sha2(name, 256)), max(md5(name)) FROM account",
    "SELECT max(hash(name)) FROM account",
    "SELECT percentile(balance, 0.5), approx_count_distinct(name) FROM account",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY balance) FROM account",
    "SELECT listagg(name, ',') WITHIN GROUP (ORDER BY name) FROM account",
    "SELECT max(r) FROM (SELECT row_number() OVER (PARTITION BY is_open ORDER BY balance "
    "DESC NULLS LAST) AS r FROM account)",
    "SELECT max(s) FROM (SELECT sum(balance) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND "
    "CURRENT ROW) s FROM account)",
    "SELECT max(l) FROM (SELECT lag(id, 1) OVER w AS l FROM account WINDOW w AS (ORDER BY id))",
    "SELECT max(f) FROM (SELECT first_value(name) IGNORE NULLS OVER (ORDER BY id) f FROM account)",
    "WITH a AS (SELECT * FROM account), b(n) AS (SELECT count(*) FROM a) SELECT max(n) FROM b",
    "SELECT count(*) FROM account a JOIN branch b ON a.id = b.id AND b.city <> ''",
    "SELECT count(*) FROM account LEFT ANTI JOIN branch USING (id)",
    "SELECT count(*) FROM account a LEFT SEMI JOIN branch b ON a.id = b.id",
    "SELECT count(*) FROM account WHERE id IN (SELECT id FROM branch)",
    "SELECT count(*) FROM account a WHERE NOT EXISTS (SELECT 1 FROM branch b WHERE b.id = a.id)",
    "SELECT count(*) FROM account a CROSS JOIN branch",
    "SELECT count(*) FROM (SELECT id FROM account UNION ALL SELECT id FROM branch)",
    "SELECT count(*) FROM (SELECT id FROM account EXCEPT SELECT id FROM branch)",
    "SELECT count(*) FROM (SELECT id FROM account INTERSECT SELECT id FROM branch)",
    "SELECT count(*) FROM (SELECT name FROM account GROUP BY name HAVING count(*) > 1)",
    "SELECT count(*) FROM (SELECT name, is_open, grouping(name) FROM account GROUP BY ROLLUP "
    "(name, is_open))",
    "SELECT count(*) FROM (SELECT name FROM account GROUP BY GROUPING SETS ((name), ()))",
    "SELECT count(*) FROM (SELECT name FROM account GROUP BY ALL)",
    "SELECT count(*) FROM account LATERAL VIEW explode(tags) t AS tag",
    "SELECT count(*) FROM account LATERAL VIEW OUTER posexplode(tags) t AS i, tag",
    "SELECT count(*) FROM account, LATERAL (SELECT account.id + 1)",
    "SELECT count(*) FROM account, LATERAL explode(tags) AS t(tag)",
    "SELECT count(*) FROM (SELECT explode(sequence(1, 3)) AS n)",
    "SELECT max(x) FROM VALUES (1), (2) AS t(x)",
    "SELECT balance FROM account ORDER BY balance DESC, name LIMIT 1 OFFSET 1",
    "SELECT count(*) FROM account -- the last\n",
    "SELECT /* one /* in another */ */ count(*) FROM account",
    "SELECT count(*) FROM `account` WHERE `name` = 'a';",
    "SELECT count(*) FROM account WHERE (id, name) IN ((1L, 'Ana'))",
    "SELECT max(decode(id, 1, 'a', 'b')), max(nvl2(name, 1, 2)) FROM account",
    "SELECT any_value(name), first(name, true), bool_and(is_open), every(is_open) FROM account",
    "SELECT max_by(name, id), collect_set(is_open)[0] FROM account",
    "SELECT count(*) FROM account WHERE id >= (SELECT min(id) FROM branch)",
    "SELECT max(DATE(seen)), max(STRING(id)), max(INT(id)) FROM account",
    "SELECT max(name COLLATE UTF8_LCASE) FROM account",
]


def refusal(sql: str) -> str:
    return read_query(sql, BANK, ACCOUNT).refusal


@pytest.mark.parametrize("sql", REFUSED)
def test_sql_that_reaches_beyond_the_contract_is_refused(sql: str) -> None:
    assert refusal(sql)


PATTERNS_REFUSED = [
    "name RLIKE '(a+)+$'",
    "name RLIKE concat('a', name)",
    "name RLIKE name",
    "regexp_replace(name, '(a|aa)+$', '') = ''",
    "regexp_extract(name, '(.*)*x', 1) = 'x'",
    "name LIKE '%a%a%a%a%a%'",
    "name LIKE name",
    "name ILIKE concat('%', name)",
    "split(name, '(x*)*y')[0] = 'a'",
    "regexp_count(name, '(\\\\w|\\\\d)*!') = 1",
    "str_to_map(name, '(x+x+)+y') IS NULL",
    "exists(tags, x -> x RLIKE 'a+$')",
    "name LIKE ANY ('x', '%a%a%a%a%')",
    "SELECT count(*) FROM account WHERE name RLIKE '(a+)+$'",
    "SELECT max(regexp_substr(name, '^(a?){50}a{50}')) FROM account",
    "name RLIKE '['",
    "name RLIKE '(a)\\\\1+$'",
]
PATTERNS_RUN = [
    "name RLIKE '^[A-Z][a-z]+'",
    "name RLIKE '^\\\\d{3}-\\\\d{2}$'",
    "regexp_replace(name, '[^0-9]', '') <> ''",
    "name LIKE 'A%'",
    "name LIKE '%n_'",
    "name LIKE '%a%b%'",
    "split(name, ',')[0] <> ''",
    "name RLIKE '(x|y)*'",
    "name RLIKE '[a-z]+$'",
    "name LIKE ANY ('A%', 'it%')",
    "regexp_like(name, '^(Ana|it)')",
    "name RLIKE '^[^@]+@[^@]+$'",
]


@pytest.mark.parametrize("sql", PATTERNS_REFUSED)
def test_a_pattern_that_could_run_without_bound_is_refused(sql: str) -> None:
    assert "pattern" in refusal(sql), refusal(sql)


@pytest.mark.spark
@pytest.mark.parametrize("sql", PATTERNS_RUN)
def test_patterns_mean_what_they_did_and_a_value_that_is_too_long_for_one_is_bad(
    spark: Any, tables: dict[str, str], sql: str
) -> None:
    """Values of 200,000 characters, which without a guard take hours, are judged at once.

    As bad in a condition, as an error in a query, where the pattern is not linear.
    """
    read = read_query(sql, BANK, ACCOUNT)
    assert not read.refusal
    assert (
        spark.sql(f"SELECT {read.kept} AS found FROM account ORDER BY id").collect()
        == spark.sql(f"SELECT {sql} AS found FROM account ORDER BY id").collect()
    )
    spark.sql("SELECT repeat('a', 200000) || '!' AS name").createOrReplaceTempView("long_values")
    begun, is_guarded = time.monotonic(), "length(" in read.kept.lower()
    (found,) = spark.sql(f"SELECT {read.kept} AS found FROM long_values").collect()
    assert time.monotonic() - begun < 20 and not (is_guarded and found["found"])
    query = render_query(
        Rule(
            "r",
            "account",
            "",
            "sql",
            "",
            query=read_query(f"SELECT count_if({sql}) FROM account", BANK, ACCOUNT).query,
        ),
        {**tables, "account": "long_values"},
    )
    if is_guarded:
        with pytest.raises(
            Exception, match="a value of more than 1000 characters is matched with a pattern"
        ):
            spark.sql(query).collect()
    else:
        spark.sql(query).collect()


@pytest.fixture(scope="module")
def tables(spark) -> dict[str, str]:
    accounts = """
        SELECT * FROM VALUES
            (1L, 'Ana', 10.5BD, DATE'2024-01-02', TIMESTAMP'2024-01-02 03:04:05', array('a', 'b'),
             map('a', 1), true, named_struct('city', 'x', 'zip', '1'), '{"a": 1}'),
            (2L, 'it\\'s', -1BD, DATE'2023-01-02', TIMESTAMP'2023-01-02 03:04:05',
             array('c', null), map('b', 2), false, named_struct('city', '', 'zip', '2'), '{}'),
            (3L, null, null, null, null, null, null, null, null, null)
            AS t(id, name, balance, opened, seen, tags, parts, is_open, address, doc)"""
    spark.sql(accounts).createOrReplaceTempView("account")
    spark.sql("SELECT * FROM VALUES (1L, 'x') AS t(id, city)").createOrReplaceTempView("branch")
    return {"account": "account", "branch": "branch"}


@pytest.mark.spark
@pytest.mark.parametrize("sql", ACCEPTED)
def test_ordinary_sql_is_run_and_means_what_its_author_wrote(
    spark, tables: dict[str, str], sql: str
) -> None:
    read = render_placeholders(parse_contract_sql(sql), BANK)
    run = render_query(Rule("r", "account", "", "sql", "", query=read), tables)
    assert spark.sql(run).collect() == spark.sql(sql.rstrip().rstrip(";")).collect(), run


@pytest.mark.spark
def test_every_function_of_spark_has_been_decided_on(spark) -> None:
    functions = {
        row[0] for row in spark.sql("SHOW FUNCTIONS").collect() if re.fullmatch(r"\w+", row[0])
    }
    assert functions - (
        ALLOWED_FUNCTIONS | set(REFUSED_FUNCTIONS)
    ) == set() and not ALLOWED_FUNCTIONS & set(REFUSED_FUNCTIONS)


CALLS = [
    "SELECT {}(id) FROM account",
    "SELECT sum({}(id, name)) OVER (ORDER BY id) FROM account",
    "SELECT transform(tags, x -> {}(x)) FROM account",
    "SELECT count(*) FROM account WHERE {}('a', 'b') = 1",
    "SELECT * FROM account LATERAL VIEW {}(tags) t AS x",
    "SELECT * FROM {}(1)",
    "{}(id)",
]


@pytest.mark.spark
def test_a_call_of_any_function_of_spark_is_allowed_or_refused_as_it_was_decided(spark) -> None:
    functions = sorted(
        {row[0] for row in spark.sql("SHOW FUNCTIONS").collect() if re.fullmatch(r"\w+", row[0])}
        | set(REFUSED_FUNCTIONS)
    )
    for number, function in enumerate(functions):
        for call, name in zip(
            (CALLS[number % 7], CALLS[number // 7 % 7]),
            (function.upper(), f"`{function}`"),
            strict=True,
        ):
            try:
                text = render_tree_sql(parse_contract_sql(call.format(name)))
            except ValueError:
                continue
            assert not function_refusal(function) and f"`{function}`(" not in text.lower(), text


PIECES = [
    "SELECT",
    "FROM",
    "account",
    "TRANSFORM",
    "USING",
    "'sh'",
    "reflect",
    "(",
    ")",
    ",",
    "id",
    "AS",
    "x",
    "STRING",
    "MAP",
    "REDUCE",
    "/*",
    "*/",
    "--",
    "\n",
    "'",
    '"',
    "`",
    "\\",
    "${env:HOME}",
    "csv.",
    "`/etc`",
    "->",
    ";",
    "WHERE",
    "LATERAL VIEW",
    "secret",
    "r'",
    "\\u0027",
    "IDENTIFIER",
    "$$",
    "{model}",
    "1",
    "=",
    "WITH",
    "OVER",
    "*",
    "::",
    "SET",
    "a",
    "count",
    "EXCEPT",
    "ORDER BY",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25))
@settings(max_examples=400)
def test_whatever_is_put_together_is_refused_or_harmless(pieces: list[str]) -> None:
    for glue in ("", " "):
        read = read_query(glue.join(pieces), BANK, ACCOUNT)
        bare = re.sub(
            r"'(?:[^'\\]|\\.)*'", "''", read.query + read.condition + read.kept, flags=re.DOTALL
        ).lower()
        assert "${" not in read.query + read.condition + read.kept
        assert not re.search(
            r"\b(reflect|secret|identifier|set)\b\s*\(|using\s*''|csv\.|;|--|/\*",
            re.sub(r"`(?:[^`]|``)*`", "``", bare),
        ), bare


@pytest.mark.spark
@given(st.text(st.sampled_from("a'\"\\`$%_{}nrtZ0u041-*/\n\r\té😀"), max_size=30))
@settings(max_examples=150)
def test_a_text_is_written_so_that_spark_and_the_judge_read_it_back(spark, text: str) -> None:
    # as on serverless compute, where it cannot be turned off
    spark.conf.set("spark.sql.variable.substitute", "true")
    try:
        assert (
            spark.sql(f"SELECT {sql_literal(text)}").collect()[0][0]
            == text
            == literal_text(sql_literal(text))
        )
    finally:
        spark.conf.set("spark.sql.variable.substitute", "false")


@pytest.mark.spark
@given(st.text(st.sampled_from("a'\"\\%_nrtZ0bu041U{}\n"), max_size=12), st.sampled_from("'\""))
@settings(max_examples=150)
def test_the_judge_reads_a_text_as_spark_does(spark, body: str, mark: str) -> None:
    from pyspark.errors import PySparkException

    token = f"{mark}{body}{mark}"
    try:
        expected = spark.sql(f"SELECT {token} AS x").collect()[0][0]
    except PySparkException:
        return
    try:
        tree = parse_contract_sql(f"SELECT {token} AS x")
    except ValueError:
        return
    assert spark.sql(render_tree_sql(tree)).collect()[0][0] == expected


def test_nothing_of_a_contracts_sql_goes_into_a_log(caplog: pytest.LogCaptureFixture) -> None:
    hidden = "`a\n::error file=x::pwned\n\x1b[2J\u202e`"
    for sql in (
        f"EXECUTE {hidden}",
        f"CALL {hidden}",
        f"SHOW {hidden}",
        f"ALTER TABLE {hidden} SET x",
        f"SELECT {hidden} FROM account",
        f"SELECT {hidden}:a.b FROM account",
        f"CREATE FUNCTION {hidden} AS x",
    ):
        refusal(sql)
    assert not caplog.records, caplog.text


def test_a_refused_rule_is_a_fault_of_lint_and_is_never_run(tmp_path: Path) -> None:
    from datamaster_kit.contract.lint import lint_file
    from datamaster_kit.contract.quality.rules import rules
    from datamaster_kit.contract.read import read_contract

    path = tmp_path / "a.yaml"
    path.write_text(
        """dataContractSpecification: 1.1.0
id: urn:a
info: {title: A, version: 1.0.0}
models:
  account:
    fields:
      id:
        type: integer
        quality:
          - type: sql
            query: >-
              SELECT count(*) FROM (SELECT TRANSFORM(id) USING 'sh' AS (x STRING) FROM account) t
            mustBe: 0
    quality:
      - {type: sql, query: "SELECT count(*) FROM account WHERE reflect('a', 'b') = '1'", mustBe: 0}
""",
        encoding="utf-8",
    )
    found = [fault for fault in lint_file(path) if fault.code == "sql-refused"]
    assert [(fault.severity, fault.path, fault.line > 0, bool(fault.hint)) for fault in found] == [
        ("error", "$.models.account", True, True),
        ("error", "$.models.account.fields.id", True, True),
    ]
    contract = read_contract(path)
    assert [
        rule.query + rule.predicate
        for rule in rules(contract, contract.models[0])
        if rule.not_executed
    ] == ["", ""]


def test_the_page_for_authors_lists_the_functions_that_are_allowed() -> None:
    page = (Path(__file__).parents[2] / "docs" / "contract-sql.md").read_text(encoding="utf-8")
    listed = {
        name
        for line in page.partition("## The functions")[2].splitlines()
        if line.startswith("|")
        for name in re.findall(r"`(\w+)`", line)
    }
    assert listed == ALLOWED_FUNCTIONS


ON_A_ROW = [
    ("SELECT count(*) FROM account WHERE CAST(name AS INT) < 0", "abc", "7"),
    ("SELECT count(*) FROM account WHERE 10 / length(name) < 1", "", "7"),
    ("CAST(name AS INT) >= 0", "abc", "7"),
    ("name > 5", "abc", "7"),
    ("SELECT count(*) FROM account WHERE split(name, ',')[3] = 'x'", "a,b", "a,b,c,y"),
    (
        "SELECT count(*) FROM account WHERE to_date(name) > DATE'2030-01-01'",
        "2020-02-31",
        "2020-01-01",
    ),
    ("abs(id + CAST(name AS BIGINT)) > 0", "9223372036854775807", "1"),
    ("element_at(split(name, ','), 0) = ''", "x", None),
    ("parse_json(name) IS NOT NULL", "{", "{}"),
    ("exists(split(name, ','), x -> INT(x) > 0)", "1a", "1"),
]


@pytest.mark.spark
@pytest.mark.parametrize(("sql", "bad", "good"), ON_A_ROW)
def test_a_rule_that_ends_with_an_error_on_a_row_is_broken_by_that_row_alone(
    spark: Any, sql: str, bad: str, good: str | None
) -> None:
    model = Model(
        "account",
        (*ACCOUNT.fields,),
        quality=(Quality("sql", id="own", query=sql, severity="error"),),
    )
    (rule,) = [
        rule
        for rule in rules(Contract("urn:bank", models=(model, BRANCH)), model)
        if rule.kind == "sql"
    ]
    assert not rule.not_executed and rule.is_row_rule, rule
    spark.createDataFrame([(1, bad), (1, good)], "id BIGINT, name STRING").createOrReplaceTempView(
        "rows_of_two_kinds"
    )
    found = [
        row["broken"]
        for row in spark.sql(
            f"SELECT {rule_breaches_sql(model, (rule,))} AS broken FROM rows_of_two_kinds"
        ).collect()
    ]
    assert found == [[rule.id], []]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT max(seen AT TIME ZONE 'UTC') FROM account", "from_utc_timestamp"),
        ("SELECT id FROM account QUALIFY row_number() OVER (ORDER BY id) = 1", "Spark 4.1 has not"),
        ("SELECT max(seen - INTERVAL 1 YEAR 2 MONTHS) FROM account", "INTERVAL '1 year 2 months'"),
        ("SELECT * FROM " + "(SELECT * FROM " * 300 + "account" + ")" * 300, "nests|recursion"),
    ],
)
def test_a_refusal_says_what_to_write(sql: str, said: str) -> None:
    assert re.search(said, read_query(sql, BANK, ACCOUNT).refusal)


def test_what_is_written_is_what_was_read() -> None:
    def query(sql: str) -> str:
        return read_query(sql, BANK, ACCOUNT).query

    # a function would have another order
    assert "max(id & 1 << 2)" in query("SELECT max(id & 1 << 2) FROM account").lower()
    assert query("SELECT count(*) FROM account WHERE (name <=> doc) = is_open").endswith(
        "(name <=> doc) = is_open"
    )
    assert (
        query("SELECT max(id) FROM (WITH t AS (SELECT id FROM branch) SELECT * FROM t)").index(
            "FROM (WITH t"
        )
        > 0
    )
    assert "ARRAY(1, 2)[0]" in query("SELECT array(1, 2)[0] FROM account")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM account WHERE " + " OR ".join(f"name = 'v{n}'" for n in range(1500)),
        "SELECT max(" + " || ".join(["name"] * 2900) + ") FROM account",
        " UNION ALL ".join(["SELECT id FROM account"] * 900),
        "WITH c0 AS (SELECT id FROM account), "
        + ", ".join(f"c{n + 1} AS (SELECT id FROM c{n})" for n in range(700))
        + " SELECT count(*) FROM c700",
        "SELECT max(" + "(" * 14_000 + "id" + ")" * 14_000 + ") FROM account",
    ],
)
def test_the_longest_sql_is_judged_in_seconds_and_longer_is_refused(sql: str) -> None:
    start = time.process_time()
    read_query(sql[:30_000], BANK, ACCOUNT)
    assert time.process_time() - start < 5  # two seconds, on a machine that has nothing else to do
    assert read_query(sql.ljust(30_001, ")"), BANK, ACCOUNT).refusal


def test_a_word_of_the_session_needs_its_table_where_it_might_be_no_field() -> None:
    people = Model("person", (Field("id", Scalar("long")), Field("user")))
    team = Contract("urn:team", models=(people,))
    assert (
        not read_query("SELECT max(user) FROM person", team, people).refusal
        and not read_query("SELECT max(p.user) FROM (SELECT * FROM person) p", team, people).refusal
    )
    assert (
        "the session's"
        in read_query("SELECT max(user) FROM (SELECT id FROM person) t", team, people).refusal
    )
