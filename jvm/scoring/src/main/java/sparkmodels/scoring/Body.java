package sparkmodels.scoring;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import sparkmodels.errors.InputException;
import sparkmodels.errors.Names;
import sparkmodels.packages.Json;
import sparkmodels.packages.Table;

/**
 * The rows of a body as they were sent: nothing is cast here. {@link Scorer#scoreBody} binds and casts them.
 *
 * @param table its rows; the columns are "0", "1", … where they have no names, and none where nothing says which there
 *     are
 * @param place the place of a row in errors, with {@code [*]} for its number: {@code $.data[*]}
 * @param text whether every value is text that the inputs' types tell how to read, as in CSV
 * @param wrapped whether the answer stands under {@code "predictions"}, as for MLflow 2's forms
 */
public record Body(Table table, String place, boolean text, boolean wrapped) {
    /** How a body of JSON is laid out, where the caller says it. */
    public enum Orient {
        /** {@code {"columns", "data"}}. */
        SPLIT,
        /** A list of objects. */
        RECORDS
    }

    private static final List<String> FORMS = List.of("instances", "inputs", "dataframe_split", "dataframe_records");

    /**
     * A JSON body in any of its forms: {@code {"columns", "data"}}, a list of records, {@code {"instances"}},
     * {@code {"inputs"}}, {@code {"dataframe_split"}} or {@code {"dataframe_records"}}.
     *
     * @throws InputException [JSON_BODY] it has none of them, or rows of different lengths; [DUPLICATE_COLUMNS] a column
     *     is named twice; [INVALID_ARGUMENT] it has parameters, which no model takes here
     */
    public static Body json(String text) {
        return json(text, Optional.empty());
    }

    /** A JSON body, of that orientation and no other where one is given. */
    public static Body json(String text, Optional<Orient> orient) {
        Object body = Json.parse(text);
        if (orient.isPresent()) {
            return orient.get() == Orient.SPLIT ? split(body, "$", false) : records(body, "$", false);
        }
        if (body instanceof List<?>) {
            return records(body, "$", false);
        }
        if (!(body instanceof Map<?, ?> map)) {
            throw broken("a table or tensors are expected, not " + called(body), "$");
        }
        List<String> found = FORMS.stream().filter(map::containsKey).toList();
        if (found.isEmpty()) {
            return split(map, "$", false);
        }
        if (found.size() > 1) {
            throw broken(
                    "it has '" + String.join("' and '", found) + "'; exactly one of them is expected", "$");
        }
        return keyed(map, found.get(0));
    }

    /**
     * A JSON body in split orientation only.
     *
     * @throws InputException [JSON_BODY] it has another form; [DUPLICATE_COLUMNS] a column is named twice
     */
    public static Body split(String text) {
        return json(text, Optional.of(Orient.SPLIT));
    }

    /**
     * A CSV body; its first line names the columns. Values stay text.
     *
     * @throws InputException [JSON_BODY] its lines differ in length or a quote is open; [DUPLICATE_COLUMNS] a column is
     *     named twice
     */
    public static Body csv(String text) {
        Table table = Csv.table(text);
        requireUnique(table.columns());
        return new Body(table, "csv[*]", true, false);
    }

    /**
     * Named lists of one length, each a column; or a list of rows.
     *
     * @param tensors a map of lists by name, or a list of rows or of single values
     * @throws InputException [JSON_BODY] they differ in length
     */
    public static Body tensors(Object tensors, String place) {
        if (tensors instanceof Map<?, ?> named) {
            return columns(named, place);
        }
        List<List<Object>> rows = new ArrayList<>();
        for (Object item : (List<?>) tensors) {
            rows.add(
                    item instanceof List<?> values
                            ? Collections.unmodifiableList(values)
                            : Collections.singletonList(item));
        }
        if (rows.stream().mapToInt(List::size).distinct().count() > 1) {
            throw new InputException("JSON_VALUE", "A list of rows of different lengths is no table", place);
        }
        return new Body(
                new Table(rows.isEmpty() ? List.of() : numbered(rows.get(0).size()), rows), place + "[*]", false, false);
    }

    /**
     * What no model takes here: parameters of a call.
     *
     * @throws InputException [INVALID_ARGUMENT] there are some; [JSON_BODY] it is no object
     */
    public static void requireNoParams(Object params) {
        if (params == null) {
            return;
        }
        if (!(params instanceof Map<?, ?> map)) {
            throw broken("'params' must be an object, not " + called(params), "$.params");
        }
        if (!map.isEmpty()) {
            throw new InputException(
                    "INVALID_ARGUMENT",
                    "The model takes no params, and is given "
                            + Names.listed(map.keySet().stream().map(String::valueOf).toList()),
                    "params of the call");
        }
    }

    /** What an error calls a JSON value, without the value itself. */
    public static String called(Object value) {
        if (value == null) {
            return "null";
        }
        return value instanceof Boolean
                ? "a boolean"
                : value instanceof Integer || value instanceof Long || value instanceof BigInteger
                        ? "an integer"
                        : value instanceof Number
                                ? "a number"
                                : value instanceof String
                                        ? "text"
                                        : value instanceof List<?>
                                                ? "a list"
                                                : value instanceof Map<?, ?> ? "an object" : "a value";
    }

    /** The place of a field of a row: {@code $.data[3].age}, {@code $.data[3]['a b']}. */
    String at(String field, int row) {
        boolean plain = field.matches("[\\p{L}_][\\p{L}\\p{N}_]*");
        String bare = plain ? "." + field : "['" + field + "']";
        return place.replaceFirst("\\[\\*]", "[" + row + "]") + bare;
    }

    private static Body keyed(Map<?, ?> map, String form) {
        List<String> others = map.keySet().stream()
                .map(String::valueOf)
                .filter(name -> !name.equals(form) && !name.equals("params"))
                .toList();
        if (!others.isEmpty()) {
            throw broken("it has keys " + Names.listed(others) + " beside '" + form + "'", "$");
        }
        requireNoParams(map.get("params"));
        Object content = map.get(form);
        String place = "$." + form;
        return switch (form) {
            case "dataframe_split" -> split(content, place, true);
            case "dataframe_records" -> records(content, place, true);
            case "instances" -> instances(content, place);
            default -> inputs(content, place);
        };
    }

    private static Body split(Object body, String place, boolean wrapped) {
        if (!(body instanceof Map<?, ?> map)) {
            throw broken(
                    "the split orientation is an object with 'columns' and 'data', not " + called(body), place);
        }
        if (!map.containsKey("data") || !Set.of("columns", "index", "data").containsAll(map.keySet())) {
            throw broken(
                    "the split orientation has the keys 'columns', 'index' and 'data'; this has "
                            + Names.listed(map.keySet().stream().map(String::valueOf).toList()),
                    place);
        }
        if (!(map.get("data") instanceof List<?> data)) {
            throw broken("'data' must be a list of rows, not " + called(map.get("data")), place + ".data");
        }
        List<List<Object>> rows = new ArrayList<>(data.size());
        for (Object item : data) {
            if (!(item instanceof List<?> values)) {
                throw broken(
                        "a row of the split orientation must be a list, not " + called(item),
                        "%s.data[%d]".formatted(place, rows.size()));
            }
            rows.add(Collections.unmodifiableList(values));
        }
        List<String> columns = map.get("columns") != null
                ? labels(map.get("columns"), place + ".columns")
                : rows.isEmpty() ? List.of() : numbered(rows.get(0).size());
        List<String> ragged = IntStream.range(0, rows.size())
                .filter(at -> rows.get(at).size() != columns.size())
                .mapToObj(String::valueOf)
                .toList();
        if (!ragged.isEmpty()) {
            throw broken(
                    "rows %s have not %d values, one a column".formatted(Names.bare(ragged), columns.size()),
                    place + ".data");
        }
        return new Body(new Table(columns, rows), place + ".data[*]", false, wrapped);
    }

    private static List<String> labels(Object value, String place) {
        if (!(value instanceof List<?> labels)) {
            throw broken("'columns' must be a list of names, not " + called(value), place);
        }
        List<String> columns = new ArrayList<>(labels.size());
        for (Object label : labels) {
            if (!(label instanceof String || label instanceof Integer || label instanceof Long)) {
                throw broken(
                        "a column's name must be text or an integer, not " + called(label),
                        "%s[%d]".formatted(place, columns.size()));
            }
            columns.add(label.toString());
        }
        requireUnique(columns);
        return columns;
    }

    private static Body records(Object value, String place, boolean wrapped) {
        if (!(value instanceof List<?> records)) {
            throw broken("the records orientation is a list of objects, not " + called(value), place);
        }
        Set<String> names = new LinkedHashSet<>();
        for (int at = 0; at < records.size(); at++) {
            if (!(records.get(at) instanceof Map<?, ?> record)) {
                throw broken(
                        "a record must be an object, not " + called(records.get(at)), "%s[%d]".formatted(place, at));
            }
            record.keySet().forEach(key -> names.add(String.valueOf(key)));
        }
        List<List<Object>> rows = new ArrayList<>(records.size());
        for (Object record : records) {
            List<Object> row = new ArrayList<>(names.size());
            names.forEach(name -> row.add(((Map<?, ?>) record).get(name)));
            rows.add(row);
        }
        return new Body(new Table(List.copyOf(names), rows), place + "[*]", false, wrapped);
    }

    private static Body instances(Object value, String place) {
        if (!(value instanceof List<?> instances)) {
            throw broken("'instances' must be a list, not " + called(value), place);
        }
        if (instances.stream().noneMatch(Map.class::isInstance)) {
            return tensors(instances, place);
        }
        Map<String, List<Object>> named = new LinkedHashMap<>();
        for (int at = 0; at < instances.size(); at++) {
            if (!(instances.get(at) instanceof Map<?, ?> instance)) {
                throw broken(
                        "where one instance is an object, each must be one, not " + called(instances.get(at)),
                        "%s[%d]".formatted(place, at));
            }
            instance.forEach((name, item) -> named.computeIfAbsent(String.valueOf(name), ignored -> new ArrayList<>())
                    .add(item));
        }
        return columns(named, place);
    }

    private static Body inputs(Object value, String place) {
        if (value instanceof Map<?, ?> map) {
            map.forEach((name, tensor) -> {
                if (!(tensor instanceof List<?>)) {
                    throw broken("a tensor must be a list, not " + called(tensor), place + "." + name);
                }
            });
        } else if (!(value instanceof List<?>)) {
            throw broken("'inputs' must be a list or an object of lists, not " + called(value), place);
        }
        return tensors(value, place);
    }

    private static Body columns(Map<?, ?> named, String place) {
        if (named.values().stream().map(values -> ((List<?>) values).size()).distinct().count() > 1) {
            throw broken("the tensors have different lengths", place);
        }
        int count = named.values().stream()
                .mapToInt(values -> ((List<?>) values).size())
                .findFirst()
                .orElse(0);
        List<List<Object>> rows = new ArrayList<>(count);
        for (int at = 0; at < count; at++) {
            List<Object> row = new ArrayList<>(named.size());
            for (Object values : named.values()) {
                row.add(((List<?>) values).get(at));
            }
            rows.add(row);
        }
        List<String> names = named.keySet().stream().map(String::valueOf).toList();
        return new Body(new Table(names, rows), place + "[*]", false, false);
    }

    private static List<String> numbered(int count) {
        return IntStream.range(0, count).mapToObj(String::valueOf).toList();
    }

    private static void requireUnique(List<String> columns) {
        Set<String> seen = new HashSet<>();
        List<String> repeated =
                columns.stream().filter(name -> !seen.add(name)).distinct().toList();
        if (!repeated.isEmpty()) {
            throw new InputException(
                    "DUPLICATE_COLUMNS",
                    "The input has several columns named " + Names.listed(repeated),
                    "the body",
                    "drop or rename them: inputs are matched by name");
        }
    }

    private static InputException broken(String what, String place) {
        return new InputException("JSON_BODY", "The input can't be read: " + what, place);
    }
}
