-- Each line runs on Spark 4.2 and on the local workspace's engine; the answers must be equal.
-- Literals, operators, casts
SELECT 1, 1L, 1.5, 1.5D, 1e3, 1.0E10, -0.0D, 'it''s', 'a\tb', "double", NULL, true, X'1F' IS NULL
SELECT 1/2, 7 % 3, -7 % 3, 7 DIV 2, -7 DIV 2, 1.5D / 2, 2 * 3.5D, 1 - 2, +1, -(-1)
SELECT 1/0
SELECT 1 % 0
SELECT 1 <=> NULL, NULL <=> NULL, 1 != 2, 1 <> 2, 1 == 1, NOT true, true AND NULL, false OR NULL
SELECT 'a' || 'b', 'a' || NULL, 'a' || 1, concat('a', 'b', 'c'), concat('a', NULL), concat_ws('-', 'a', NULL, 'b')
SELECT CAST(1.7D AS INT), CAST(-1.7D AS INT), CAST(2.5D AS BIGINT), CAST('12' AS INT), CAST(true AS INT), CAST(1 AS BOOLEAN), CAST(1.999 AS INT)
SELECT CAST('x' AS INT)
SELECT try_cast('x' AS INT), try_cast('1' AS INT), try_divide(1, 0), try_divide(6, 4)
SELECT CAST(3000000000L AS INT)
SELECT '2026-01-02'::DATE, '1'::INT, CAST(DATE'2026-01-02' AS STRING), CAST(TIMESTAMP'2026-01-02 03:04:05.6' AS STRING), CAST(1 AS STRING), CAST(true AS STRING)
SELECT 'abc' LIKE 'a%', 'abc' LIKE 'A%', 'a%c' LIKE 'a\%c', 'abc' ILIKE 'AB_', 'abc' RLIKE '^a.c$', 'abc' NOT LIKE 'x%', 'a' IN ('a', 'b'), 1 BETWEEN 0 AND 2
SELECT CASE WHEN 1 = 1 THEN 'a' ELSE 'b' END, CASE 2 WHEN 1 THEN 'x' WHEN 2 THEN 'y' END, if(1 > 2, 'a', 'b'), coalesce(NULL, 2), nvl(NULL, 3), ifnull(NULL, 4), nvl2(NULL, 1, 2), nullif(1, 1), isnull(NULL), isnotnull(1)
SELECT greatest(1, 3, 2), least(1, NULL, 2), isnan(CAST('NaN' AS DOUBLE)), isnan(NULL), nanvl(CAST('NaN' AS DOUBLE), 1.0D)
-- Numbers
SELECT abs(-1), ceil(1.2D), ceil(-1.2D), floor(1.8D), floor(-1.2D), ceiling(3), sign(-3), signum(2.0D), mod(7, 3), pmod(-7, 3)
SELECT round(2.5D), round(-2.5D), round(1.2345D, 2), sqrt(4), sqrt(-1), exp(0), ln(1), ln(0), log10(100), log10(0), log(2, 8), log(0), log2(8), pow(2, 3), power(2, 0.5D)
SELECT degrees(pi()), radians(180.0D), round(cbrt(27.0D), 9), sin(0), cos(0), tan(0), atan2(1, 1)
-- Text
SELECT length('héllo'), char_length('abc'), len('ab'), lower('AbC'), upper('AbC'), lcase('A'), ucase('a'), trim('  a '), ltrim('  a '), rtrim('  a '), trim(BOTH 'x' FROM 'xax')
SELECT substring('abcdef', 2, 3), substring('abcdef', 0, 2), substring('abcdef', -2), substr('abcdef', 3), left('abc', 2), right('abc', 2), repeat('ab', 2), reverse('abc')
SELECT lpad('a', 3, 'xy'), rpad('a', 3), lpad('abcd', 2), replace('aba', 'b'), replace('aba', 'a', 'x'), translate('abc', 'ab', 'xy'), instr('abcb', 'b'), locate('b', 'abc'), position('c' IN 'abc')
SELECT split('a1b2c', '[0-9]'), split('a,b,', ','), split_part('a.b.c', '.', 2), startswith('abc', 'ab'), endswith('abc', 'bc'), contains('abc', 'b')
SELECT regexp_replace('a1b2', '[0-9]', 'x'), regexp_replace('ab', '(a)(b)', '$2$1'), regexp_extract('a1b2', '([a-z])([0-9])', 2), regexp_extract('a1', '([a-z])([0-9])'), regexp_extract('zz', '([0-9])', 1), regexp_extract_all('a1b2', '([0-9])', 1), regexp_like('abc', 'b')
SELECT ascii('a'), chr(97), char(98), md5('a'), sha1('a'), sha('a'), sha2('a', 256), base64('abc'), hex(255), hex('abc'), levenshtein('ab', 'ac')
SELECT get_json_object('{"a":{"b":[1,2]}}', '$.a.b[1]'), get_json_object('{"a":"x"}', '$.a'), get_json_object('{"a":1}', '$.z'), get_json_object('no json', '$.a')
SELECT from_json('{"a":1,"b":"x","c":[1,2]}', 'a INT, b STRING, c ARRAY<INT>'), from_json('{"a":1}', 'a INT').a
SELECT from_json('{"a":"x","b":"y"}', 'MAP<STRING,STRING>'), from_json('[1,2]', 'ARRAY<INT>'), from_json('{"a":"x"}', 'MAP<STRING,STRING>')['a'], from_json(NULL, 'MAP<STRING,STRING>')
-- Times
SELECT DATE'2026-01-31' + INTERVAL 1 MONTH, TIMESTAMP'2026-01-15 12:00:00' - INTERVAL 5 MINUTES, TIMESTAMP'2026-01-15 12:00:00' + INTERVAL '1' HOUR, TIMESTAMP'2026-01-15 12:00:00' - INTERVAL 1 DAY, DATE'2026-01-15' - INTERVAL 7 DAYS
SELECT date_add(DATE'2026-01-31', 1), date_sub(DATE'2026-01-01', 1), dateadd(MINUTE, 5, TIMESTAMP'2026-01-15 12:00:00'), dateadd(MONTH, 1, TIMESTAMP'2026-01-31 00:00:00'), timestampadd(HOUR, -1, TIMESTAMP'2026-01-15 12:00:00'), add_months(DATE'2026-01-31', 1)
SELECT datediff(DATE'2026-01-15', DATE'2026-01-01'), datediff(MINUTE, TIMESTAMP'2026-01-15 12:00:30', TIMESTAMP'2026-01-15 12:02:00'), timestampdiff(HOUR, TIMESTAMP'2026-01-15 12:00:00', TIMESTAMP'2026-01-15 10:30:00'), date_diff(DATE'2026-01-15', DATE'2026-01-16')
SELECT date_trunc('MINUTE', TIMESTAMP'2026-01-15 12:34:56'), date_trunc('HOUR', TIMESTAMP'2026-01-15 12:34:56'), date_trunc('week', TIMESTAMP'2026-01-15 12:34:56'), date_trunc('DAY', DATE'2026-01-15'), date_trunc('QUARTER', TIMESTAMP'2026-05-15 12:34:56'), trunc(DATE'2026-05-15', 'MM'), trunc(DATE'2026-05-15', 'year')
SELECT year(DATE'2026-05-15'), quarter(DATE'2026-05-15'), month(DATE'2026-05-15'), weekofyear(DATE'2026-05-15'), day(DATE'2026-05-15'), dayofmonth(DATE'2026-05-15'), dayofyear(DATE'2026-05-15'), dayofweek(DATE'2026-05-17'), weekday(DATE'2026-05-17'), hour(TIMESTAMP'2026-01-15 12:34:56.7'), minute(TIMESTAMP'2026-01-15 12:34:56.7'), second(TIMESTAMP'2026-01-15 12:34:56.7'), last_day(DATE'2026-02-03')
SELECT extract(YEAR FROM DATE'2026-05-15'), extract(MONTH FROM DATE'2026-05-15'), extract(DAY FROM DATE'2026-05-15'), extract(HOUR FROM TIMESTAMP'2026-01-15 12:34:56'), extract(MINUTE FROM TIMESTAMP'2026-01-15 12:34:56')
SELECT unix_timestamp(TIMESTAMP'2026-01-15 12:00:00.9'), to_unix_timestamp(TIMESTAMP'2026-01-15 12:00:00'), unix_seconds(TIMESTAMP'1969-12-31 23:59:59.5'), unix_millis(TIMESTAMP'2026-01-15 12:00:00.1239'), unix_micros(TIMESTAMP'2026-01-15 12:00:00.123456')
SELECT timestamp_seconds(1768478400), timestamp_millis(1768478400123), timestamp_micros(1768478400123456), from_unixtime(1768478400), from_unixtime(1768478400, 'yyyy-MM-dd')
SELECT to_date('2026-01-15'), to_date('15/01/2026', 'dd/MM/yyyy'), to_timestamp('2026-01-15 12:00:00'), to_timestamp('2026-01-15T12:00:00Z'), to_timestamp('15.01.2026 10:11', 'dd.MM.yyyy HH:mm'), date('2026-01-15'), make_date(2026, 1, 15)
SELECT date_format(TIMESTAMP'2026-01-05 03:04:05.678', "yyyy-MM-dd'T'HH:mm:ss.SSS"), date_format(TIMESTAMP'2026-01-05 15:04:05', 'd MMM yy h:mm a'), date_format(DATE'2026-01-05', 'EEEE, MMMM d'), date_format(TIMESTAMP'2026-01-05 15:04:05', 'HH:mm')
SELECT from_utc_timestamp(TIMESTAMP'2026-07-01 12:00:00', 'Europe/Berlin'), to_utc_timestamp(TIMESTAMP'2026-07-01 12:00:00', 'Europe/Berlin')
SELECT TIMESTAMP'2026-01-15 12:00:00' > DATE'2026-01-15', TIMESTAMP'2026-01-15 12:00:00Z' = TIMESTAMP'2026-01-15 13:00:00+01:00', DATE'2026-01-15' = '2026-01-15'
-- Arrays, maps, structs
SELECT array(1, 2, 3)[0], array('a')[0], element_at(array(1, 2), 2), element_at(array(1, 2), -1), get(array(1, 2), 1), get(array(1, 2), 5), size(array(1, 2)), array_size(array(1)), cardinality(array(1, 2))
SELECT map('a', 1, 'b', 2)['b'], map('a', 1)['z'], element_at(map('a', 1), 'a'), map_keys(map('a', 1, 'b', 2)), map_values(map('a', 1, 'b', 2)), map_contains_key(map('a', 1), 'a'), size(map_keys(map('a', 1))), map_from_arrays(array('x'), array(1))
SELECT named_struct('a', 1, 'b', 'x'), named_struct('a', 1).a, struct(1, 'x').col1
SELECT array_contains(array(1, 2), 2), array_join(array('a', NULL, 'b'), ','), array_max(array(1, 3, 2)), array_min(array(3, 1)), sort_array(array(2, NULL, 1)), sort_array(array(1, 2), false), array_sort(array(2, NULL, 1)), slice(array(1, 2, 3), 2, 2), array_position(array('a', 'b'), 'b'), array_position(array('a'), 'z'), flatten(array(array(1), array(2))), sequence(1, 4)
SELECT transform(array(1, 2), x -> x + 1), filter(array(1, 2, 3), x -> x > 1), aggregate(array(1, 2, 3), 0, (acc, x) -> acc + x)
SELECT explode(array(1, 2)) AS item
SELECT t.id, e.item FROM VALUES (1, array('x', 'y')) AS t(id, items) LATERAL VIEW explode(items) e AS item ORDER BY e.item
-- Aggregates
SELECT count(*), count(x), sum(x), avg(x), min(x), max(x), count(DISTINCT x), sum(DISTINCT x), mean(x) FROM VALUES (1), (2), (2), (NULL) AS t(x)
SELECT stddev(x), stddev_samp(x), stddev_pop(x), variance(x), var_pop(x), std(x) FROM VALUES (1.0D), (2.0D), (4.0D) AS t(x)
SELECT percentile(x, 0.5), percentile(x, 0.95), median(x), percentile_approx(x, 0.5), percentile_approx(x, 0.95), approx_percentile(x, array(0.5, 0.9)), percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM VALUES (10), (20), (30), (40) AS t(x)
SELECT count_if(x > 1), bool_and(x > 0), bool_or(x > 3), every(x > 0), some(x > 2), any(x > 2), max_by(y, x), min_by(y, x) FROM VALUES (1, 'a'), (3, 'b') AS t(x, y)
SELECT collect_list(x), array_agg(x), sort_array(collect_set(x)) FROM VALUES (1), (NULL), (1), (2) AS t(x)
SELECT collect_list(x), sum(x), count(*) FROM VALUES (1) AS t(x) WHERE x > 5
SELECT sum(x) FILTER (WHERE x > 1), count(*) FILTER (WHERE x > 1), avg(CASE WHEN x > 1 THEN x END) FROM VALUES (1), (2), (3) AS t(x)
SELECT y, count(*) AS n, sum(x) FROM VALUES (1, 'a'), (2, 'b'), (3, 'a') AS t(x, y) GROUP BY y HAVING n > 1
SELECT y, count(*) AS n FROM VALUES (1, 'a'), (2, 'b'), (3, 'a') AS t(x, y) GROUP BY ALL ORDER BY n DESC, y
SELECT y, sum(x) FROM VALUES (1, 'a'), (2, 'b') AS t(x, y) GROUP BY ROLLUP (y) ORDER BY y
SELECT count(*) AS c FROM VALUES (1) AS t(x) WHERE x > 5 HAVING c > 10
SELECT window(t, '5 minutes').start AS w, count(*) FROM VALUES (TIMESTAMP'2026-01-15 12:07:00'), (TIMESTAMP'2026-01-15 12:09:59') AS v(t) GROUP BY window(t, '5 minutes')
-- Windows, joins, sets, subqueries
SELECT x, row_number() OVER (ORDER BY x), rank() OVER (ORDER BY y), lag(x) OVER (ORDER BY x), lead(x, 1, 0) OVER (ORDER BY x), sum(x) OVER (ORDER BY x), first_value(x) OVER (ORDER BY x), ntile(2) OVER (ORDER BY x) FROM VALUES (1, 1), (2, 1), (3, 2) AS t(x, y) ORDER BY x
SELECT x FROM VALUES (1), (2), (3) AS t(x) QUALIFY row_number() OVER (ORDER BY x DESC) = 1
SELECT a.x, b.y FROM VALUES (1), (2) AS a(x) LEFT JOIN VALUES (1, 'one') AS b(x, y) ON a.x = b.x ORDER BY a.x
SELECT * FROM VALUES (1), (2) AS a(x) LEFT ANTI JOIN VALUES (1) AS b(x) ON a.x = b.x
SELECT * FROM VALUES (1), (2) AS a(x) LEFT SEMI JOIN VALUES (1) AS b(x) ON a.x = b.x
SELECT * FROM VALUES (1) AS a(x) CROSS JOIN VALUES (2) AS b(y)
SELECT x FROM VALUES (2), (NULL), (1) AS t(x) ORDER BY x
SELECT x FROM VALUES (2), (NULL), (1) AS t(x) ORDER BY x DESC
SELECT x FROM VALUES (2), (NULL), (1) AS t(x) ORDER BY x NULLS LAST LIMIT 2
SELECT 1 AS x UNION ALL SELECT 1 UNION ALL SELECT 2 ORDER BY x
SELECT 1 AS x UNION SELECT 1
SELECT x FROM VALUES (1), (2) AS t(x) EXCEPT SELECT 1
SELECT x FROM VALUES (1), (2) AS t(x) INTERSECT SELECT 1
WITH a AS (SELECT 1 AS x), b (y) AS (SELECT x + 1 FROM a) SELECT a.x, b.y FROM a CROSS JOIN b
SELECT * EXCEPT (y) FROM VALUES (1, 2) AS t(x, y)
SELECT x FROM VALUES (1), (2) AS t(x) WHERE x IN (SELECT 2) AND EXISTS (SELECT 1)
SELECT (SELECT max(x) FROM VALUES (1), (2) AS t(x)) AS m
SELECT id FROM range(3)
SELECT sum(id) FROM range(1, 5)
SELECT x AS y, y + 1 AS z FROM VALUES (1) AS t(x)
SELECT DISTINCT x FROM VALUES (1), (1) AS t(x)
