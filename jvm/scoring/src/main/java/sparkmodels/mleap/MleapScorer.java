package sparkmodels.mleap;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import ml.combust.mleap.core.types.DataType;
import ml.combust.mleap.core.types.ScalarType;
import ml.combust.mleap.core.types.StructField;
import ml.combust.mleap.core.types.StructType;
import ml.combust.mleap.runtime.frame.ArrayRow;
import ml.combust.mleap.runtime.frame.RowTransformer;
import ml.combust.mleap.runtime.frame.Transformer;
import ml.combust.mleap.runtime.transformer.Pipeline;
import ml.combust.mleap.tensor.Tensor;
import scala.Option;
import scala.collection.JavaConverters;
import scala.collection.mutable.WrappedArray$;
import sparkmodels.errors.Codes;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.Names;
import sparkmodels.errors.RowException;
import sparkmodels.packages.ColumnSpec;
import sparkmodels.packages.ModelPackage;
import sparkmodels.packages.Signature;
import sparkmodels.scoring.Binding;
import sparkmodels.scoring.Field;
import sparkmodels.scoring.Scorer;

/** A pipeline of MLeap over rows. It holds nothing that a call changes. */
final class MleapScorer implements Scorer {
    /** Models that look at a missing number; MLeap's others take it for 0. */
    private static final Set<String> TAKE_NULLS = Set.of("ImputerModel", "StringIndexerModel", "CoalesceModel");

    private final String place;
    private final Transformer transformer;
    private final RowTransformer rows;
    private final List<Field> inputs;
    private final List<Field> available;
    private final List<Field> outputs;
    private final Converter[] converters;
    private final int[] slots;
    private final int width;
    private final int[] taken;
    private final boolean positional;
    private final boolean records;

    MleapScorer(ModelPackage model, Transformer transformer, Path bundle, SampleSchema sample) {
        this.place = bundle.toString();
        this.transformer = transformer;
        Map<String, DataType> needed = new LinkedHashMap<>();
        Map<String, Boolean> takesNulls = new LinkedHashMap<>();
        Map<String, DataType> given = new LinkedHashMap<>();
        walk(transformer, needed, takesNulls, given);
        this.rows = compile(transformer, needed, place);
        Optional<Signature> signature =
                model.signature().filter(found -> !found.inputColumns().isEmpty());
        List<ColumnSpec> columns = signature.map(Signature::inputColumns).orElse(List.of());
        List<String> slotNames = List.copyOf(needed.keySet());
        List<String> names = columns.isEmpty() ? slotNames : named(columns, slotNames);
        requireAll(slotNames, names);
        this.inputs = new ArrayList<>();
        this.converters = new Converter[names.size()];
        this.slots = new int[names.size()];
        this.width = slotNames.size();
        for (int at = 0; at < names.size(); at++) {
            String name = names.get(at);
            DataType type = needed.get(name);
            Optional<ColumnSpec> spec = columns.isEmpty() ? Optional.empty() : Optional.of(columns.get(at));
            boolean nullable = nullable(type, takesNulls.getOrDefault(name, true), spec);
            Optional<String> declared = spec.map(ColumnSpec::type).or(() -> sample.beyond(name, type));
            converters[at] = new Converter(name, declared, type, nullable, place);
            slots[at] = slotNames.indexOf(name);
            inputs.add(new Field(
                    name,
                    declared.orElseGet(() -> Converter.describe(type)),
                    nullable,
                    spec.map(column -> !column.required()).orElse(false)));
        }
        this.available = JavaConverters.seqAsJavaListConverter(
                        rows.outputSchema().fields())
                .asJava()
                .stream()
                .map(field -> new Field(
                        field.name(),
                        Converter.describe(field.dataType()),
                        field.dataType().isNullable()))
                .toList();
        this.positional = !columns.isEmpty() && columns.get(0).name().isEmpty();
        List<String> wanted = wanted(model.signature(), needed.keySet());
        this.records = wanted.size() != 1
                || model.signature().map(Signature::outputNames).orElse(List.of()).equals(wanted);
        this.outputs = wanted.stream().map(this::output).toList();
        this.taken = positions(wanted);
    }

    private MleapScorer(MleapScorer other, List<String> wanted) {
        this.place = other.place;
        this.transformer = other.transformer;
        this.rows = other.rows;
        this.inputs = other.inputs;
        this.available = other.available;
        this.converters = other.converters;
        this.slots = other.slots;
        this.width = other.width;
        this.positional = other.positional;
        this.records = wanted.size() != 1;
        this.outputs = wanted.stream().map(this::output).toList();
        this.taken = positions(wanted);
    }

    @Override
    public boolean positional() {
        return positional;
    }

    @Override
    public boolean records() {
        return records;
    }

    @Override
    public List<Field> inputs() {
        return List.copyOf(inputs);
    }

    @Override
    public List<Field> outputs() {
        return outputs;
    }

    @Override
    public List<Field> available() {
        return available;
    }

    @Override
    public Scorer withOutputs(List<String> names) {
        return new MleapScorer(this, List.copyOf(names));
    }

    @Override
    public Object[] scoreRow(Object[] row) {
        Binding.requireLength(row, converters.length, place);
        Object[] values = new Object[width];
        for (int at = 0; at < row.length; at++) {
            Object value = converters[at].convert(row[at]);
            if (slots[at] >= 0) {
                values[slots[at]] = value;
            }
        }
        Option<ArrayRow> scored;
        try {
            scored = rows.transformOption(new ArrayRow(WrappedArray$.MODULE$.<Object>make(values)));
        } catch (Exception | AssertionError | StackOverflowError error) {
            // Scala's exceptions are not declared, and some of MLeap's models assert what they take.
            throw RowException.ofModel(
                    "The model refuses the row (" + error.getClass().getSimpleName() + ")", place, error);
        }
        if (scored.isEmpty()) {
            throw RowException.ofModel("The model skips the row, as its handleInvalid says", place, null);
        }
        ArrayRow result = scored.get();
        Object[] picked = new Object[taken.length];
        for (int at = 0; at < picked.length; at++) {
            picked[at] = plain(result.getRaw(taken[at]));
        }
        return picked;
    }

    @Override
    public void close() {
        transformer.close();
    }

    private static Object plain(Object value) {
        if (value instanceof Double || value instanceof String) {
            return value;
        }
        if (value instanceof Tensor<?> tensor) {
            return tensor.toDense().toArray();
        }
        if (value instanceof Option<?> option) {
            return option.isEmpty() ? null : plain(option.get());
        }
        if (value instanceof scala.collection.Seq<?> items) {
            return List.copyOf(JavaConverters.seqAsJavaListConverter(items).asJava());
        }
        if (value instanceof scala.collection.Map<?, ?> map) {
            return Map.copyOf(JavaConverters.mapAsJavaMapConverter(map).asJava());
        }
        return value;
    }

    /** What the stages take from outside, in the order in which they use it, and what they give. */
    private static void walk(
            Transformer stage,
            Map<String, DataType> needed,
            Map<String, Boolean> takesNulls,
            Map<String, DataType> given) {
        if (stage instanceof Pipeline pipeline) {
            JavaConverters.seqAsJavaListConverter(pipeline.transformers())
                    .asJava()
                    .forEach(inner -> walk(inner, needed, takesNulls, given));
            return;
        }
        boolean takes = TAKE_NULLS.contains(stage.model().getClass().getSimpleName());
        for (StructField field : fields(stage.inputSchema())) {
            if (!given.containsKey(field.name())) {
                needed.merge(field.name(), field.dataType(), MleapScorer::stricter);
                takesNulls.merge(field.name(), takes, Boolean::logicalAnd);
            }
        }
        fields(stage.outputSchema()).forEach(field -> given.put(field.name(), field.dataType()));
    }

    private static DataType stricter(DataType one, DataType other) {
        return one.isNullable() ? other : one;
    }

    private static List<StructField> fields(StructType schema) {
        return JavaConverters.seqAsJavaListConverter(schema.fields()).asJava();
    }

    private static RowTransformer compile(Transformer transformer, Map<String, DataType> needed, String place) {
        List<StructField> fields = needed.entrySet().stream()
                .map(entry -> new StructField(entry.getKey(), entry.getValue()))
                .toList();
        try {
            return transformer
                    .<RowTransformer>transform(
                            RowTransformer.apply(StructType.apply(fields).get()))
                    .get();
        } catch (Exception | AssertionError error) {
            // Scala's exceptions are not declared.
            throw new ModelException(
                    Codes.INVALID_BUNDLE,
                    "The stages don't fit together (" + error.getClass().getSimpleName() + ")",
                    place,
                    "",
                    error);
        }
    }

    private static boolean nullable(DataType type, boolean takesNulls, Optional<ColumnSpec> spec) {
        boolean modelTakes = type == null
                || type.isNullable()
                        && (takesNulls
                                || !(type instanceof ScalarType)
                                || type.base().toString().equals("string"));
        // As in the Python package: only these have a missing value of their own.
        boolean declared = spec.map(column -> !column.required()
                        || Set.of("double", "float", "string").contains(column.type()))
                .orElse(true);
        return modelTakes && declared;
    }

    private static List<String> named(List<ColumnSpec> columns, List<String> slotNames) {
        List<String> names =
                columns.stream().flatMap(column -> column.name().stream()).toList();
        return names.isEmpty() && columns.size() == slotNames.size() ? slotNames : names;
    }

    private void requireAll(List<String> slotNames, List<String> names) {
        List<String> missing =
                slotNames.stream().filter(name -> !names.contains(name)).toList();
        if (!missing.isEmpty()) {
            throw new ModelException(
                    "INVALID_PACKAGE",
                    "The signature lacks inputs that the model needs: " + Names.listed(missing),
                    place);
        }
    }

    private List<String> wanted(Optional<Signature> signature, Set<String> needed) {
        List<String> names = available.stream().map(Field::name).toList();
        List<String> declared = signature.map(Signature::outputNames).orElse(List.of());
        if (!declared.isEmpty() && names.containsAll(declared)) {
            return declared;
        }
        if (names.contains("prediction")) {
            return List.of("prediction");
        }
        Set<String> strict = transformer instanceof Pipeline pipeline
                ? fields(pipeline.strictOutputSchema()).stream()
                        .map(StructField::name)
                        .collect(Collectors.toSet())
                : fields(transformer.outputSchema()).stream()
                        .map(StructField::name)
                        .collect(Collectors.toSet());
        return names.stream()
                .filter(name -> strict.contains(name) && !needed.contains(name))
                .toList();
    }

    private Field output(String name) {
        return Binding.output(available, name, place);
    }

    private int[] positions(List<String> names) {
        List<String> all = available.stream().map(Field::name).toList();
        int[] positions = new int[names.size()];
        for (int at = 0; at < positions.length; at++) {
            int field = all.indexOf(names.get(at));
            positions[at] = rows.shuffled() ? field : (Integer) rows.indices().apply(field);
        }
        return positions;
    }
}
