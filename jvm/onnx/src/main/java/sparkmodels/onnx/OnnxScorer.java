package sparkmodels.onnx;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxSequence;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.lang.reflect.Array;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.Names;
import sparkmodels.errors.RowException;
import sparkmodels.packages.ColumnSpec;
import sparkmodels.packages.ModelPackage;
import sparkmodels.packages.Signature;
import sparkmodels.scoring.Binding;
import sparkmodels.scoring.Field;
import sparkmodels.scoring.Scorer;
import sparkmodels.scoring.SignatureType;

/**
 * A session of ONNX Runtime over rows. Columns of the signature go each to the input of its name, or all together, in
 * their order, to the only input; without column names each input takes a list.
 */
final class OnnxScorer implements Scorer {
    private final OrtSession session;
    private final String place;
    private final List<Field> inputs;
    private final List<String> names;
    private final List<Feed> feeds;
    private final List<Field> available;
    private final List<Field> outputs;
    private final Set<String> asked;
    private final boolean declared;

    OnnxScorer(OrtSession session, ModelPackage model, Path file) throws OrtException {
        this.session = session;
        this.place = file.toString();
        this.inputs = new ArrayList<>();
        this.feeds = new ArrayList<>();
        List<ColumnSpec> columns = model.signature().map(Signature::inputColumns).orElse(List.of()).stream()
                .filter(column -> column.name().isPresent())
                .toList();
        this.declared = !columns.isEmpty();
        Map<String, NodeInfo> nodes = session.getInputInfo();
        if (columns.isEmpty()) {
            nodes.forEach((name, node) -> {
                feeds.add(Feed.of(name, tensor(node, name), new int[] {inputs.size()}, true, place));
                inputs.add(
                        new Field(name, "tensor<" + feeds.get(feeds.size() - 1).element() + ">", false));
            });
        } else {
            columns.forEach(
                    column -> inputs.add(new Field(
                            column.name().orElseThrow(), column.type(), !column.required(), !column.required())));
            bind(nodes);
        }
        this.names = inputs.stream().map(Field::name).toList();
        this.available = new ArrayList<>();
        session.getOutputInfo()
                .forEach((name, node) -> available.add(new Field(
                        name,
                        node.getInfo() instanceof TensorInfo info ? "tensor<" + info.type + ">" : "value",
                        false)));
        List<String> promised = model.signature().map(Signature::outputNames).orElse(List.of());
        Set<String> given = session.getOutputNames();
        this.outputs = available.stream()
                .filter(field -> promised.isEmpty() || !given.containsAll(promised) || promised.contains(field.name()))
                .toList();
        this.asked = names(outputs);
    }

    private OnnxScorer(OnnxScorer other, List<String> wanted) {
        this.session = other.session;
        this.place = other.place;
        this.inputs = other.inputs;
        this.names = other.names;
        this.feeds = other.feeds;
        this.declared = other.declared;
        this.available = other.available;
        this.outputs = wanted.stream()
                .map(name -> Binding.output(available, name, place))
                .toList();
        this.asked = names(outputs);
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
        return List.copyOf(available);
    }

    @Override
    public Scorer withOutputs(List<String> wanted) {
        return new OnnxScorer(this, wanted);
    }

    @Override
    public Object[] scoreRow(Object[] row) {
        Binding.requireLength(row, inputs.size(), place);
        Object[] checked = checked(row);
        Map<String, OnnxTensor> tensors = new LinkedHashMap<>();
        try {
            for (Feed feed : feeds) {
                tensors.put(feed.name(), feed.tensor(OrtEnvironment.getEnvironment(), checked, names));
            }
            try (OrtSession.Result result = session.run(tensors, asked)) {
                Object[] values = new Object[outputs.size()];
                for (int at = 0; at < values.length; at++) {
                    values[at] = value(result.get(outputs.get(at).name()).orElseThrow());
                }
                return values;
            }
        } catch (OrtException error) {
            throw RowException.ofModel("The model refuses the row (" + error.getCode() + ")", place, error);
        } finally {
            tensors.values().forEach(OnnxTensor::close);
        }
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException error) {
            throw new ModelException("INVALID_MODEL", "ONNX Runtime can't close the model", place, "", error);
        }
    }

    /** The row by the signature's types; only floating numbers have a missing value of their own. */
    private Object[] checked(Object[] row) {
        Object[] values = row.clone();
        for (int at = 0; declared && at < values.length; at++) {
            Field field = inputs.get(at);
            if (values[at] != null) {
                values[at] = SignatureType.check(field.type(), values[at], field.name());
            } else if (!field.nullable() && !Set.of("double", "float").contains(field.type())) {
                throw RowException.ofField(
                        "NULLS_IN_COLUMN",
                        "A missing value stands where the model takes none",
                        field.name(),
                        "fill it");
            }
        }
        return values;
    }

    private void bind(Map<String, NodeInfo> nodes) {
        List<String> columns = inputs.stream().map(Field::name).toList();
        if (columns.containsAll(nodes.keySet())) {
            nodes.forEach((name, node) -> {
                int at = columns.indexOf(name);
                feeds.add(Feed.of(
                        name,
                        tensor(node, name),
                        new int[] {at},
                        inputs.get(at).type().equals("array"),
                        place));
            });
        } else if (nodes.size() == 1) {
            nodes.forEach((name, node) -> feeds.add(Feed.of(
                    name, tensor(node, name), IntStream.range(0, columns.size()).toArray(), false, place)));
        } else {
            throw new ModelException(
                    "INVALID_PACKAGE",
                    "The signature's columns %s are not the model's inputs %s"
                            .formatted(Names.listed(columns), Names.listed(nodes.keySet())),
                    place);
        }
    }

    private TensorInfo tensor(NodeInfo node, String name) {
        if (node.getInfo() instanceof TensorInfo info) {
            return info;
        }
        throw new ModelException("UNSUPPORTED_INPUT", "The input '" + name + "' is no tensor", place);
    }

    private static Set<String> names(List<Field> fields) {
        Set<String> names = new LinkedHashSet<>();
        fields.forEach(field -> names.add(field.name()));
        return names;
    }

    /** One row's value of an output; a sequence holds handles, which are the caller's to close. */
    private static Object value(OnnxValue output) throws OrtException {
        if (!(output instanceof OnnxSequence sequence)) {
            return plain(output.getValue());
        }
        List<? extends OnnxValue> handles = sequence.getValue();
        try {
            List<Object> items = new ArrayList<>(handles.size());
            for (OnnxValue handle : handles) {
                items.add(value(handle));
            }
            return items.size() == 1 ? items.get(0) : items;
        } finally {
            handles.forEach(OnnxValue::close);
        }
    }

    /** One row of a batch of one: a scalar, {@code double[]} of floating numbers, a list or a map. */
    private static Object plain(Object value) {
        Object item = value;
        while (item != null && item.getClass().isArray() && Array.getLength(item) == 1) {
            item = Array.get(item, 0);
        }
        if (item instanceof Float number) {
            return number.doubleValue();
        }
        if (item instanceof float[] floats) {
            double[] doubles = new double[floats.length];
            for (int at = 0; at < doubles.length; at++) {
                doubles[at] = floats[at];
            }
            return doubles;
        }
        if (item instanceof Map<?, ?> map) {
            Map<Object, Object> values = new LinkedHashMap<>();
            map.forEach((key, inner) -> values.put(key, plain(inner)));
            return values;
        }
        if (item instanceof double[] || item == null || !item.getClass().isArray()) {
            return item;
        }
        List<Object> list = new ArrayList<>();
        for (int at = 0; at < Array.getLength(item); at++) {
            list.add(plain(Array.get(item, at)));
        }
        return list;
    }
}
