package sparkmodels.onnx;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.TensorInfo;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.List;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.RowException;
import sparkmodels.scoring.SignatureType;

/**
 * One tensor of the model's input, filled from columns of a row.
 *
 * @param name of the input
 * @param type of its elements
 * @param shape for one row, without unknown sizes
 * @param columns positions in the row: one that holds a list, or one a column
 * @param vector whether the one column holds a list
 */
record Feed(String name, OnnxJavaType type, long[] shape, int[] columns, boolean vector) {
    /** The feed of an input that takes {@code columns}; the first axis is the batch. */
    static Feed of(String name, TensorInfo info, int[] columns, boolean vector, String place) {
        long[] shape = info.getShape().clone();
        for (int axis = 0; axis < shape.length; axis++) {
            if (shape[axis] < 0) {
                shape[axis] = axis == 0 ? 1 : vector ? -1 : columns.length;
            }
        }
        boolean known =
                switch (info.type) {
                    case FLOAT, DOUBLE, INT32, INT64, STRING -> true;
                    default -> false;
                };
        if (!known) {
            throw new ModelException(
                    "UNSUPPORTED_INPUT",
                    "The input '%s' is of a type that is not scored here: %s".formatted(name, info.type),
                    place);
        }
        return new Feed(name, info.type, shape, columns, vector);
    }

    /** The signature's name of the element type. */
    String element() {
        return switch (type) {
            case FLOAT -> "float";
            case DOUBLE -> "double";
            case INT32 -> "integer";
            case INT64 -> "long";
            default -> "string";
        };
    }

    OnnxTensor tensor(OrtEnvironment environment, Object[] row, List<String> fields) throws OrtException {
        Object[] values = vector ? items(row[columns[0]], fields.get(columns[0])) : new Object[columns.length];
        for (int at = 0; at < values.length; at++) {
            String field = fields.get(vector ? columns[0] : columns[at]);
            Object value = vector ? values[at] : row[columns[at]];
            if (value == null && type != OnnxJavaType.FLOAT && type != OnnxJavaType.DOUBLE) {
                throw RowException.ofField(
                        "NULLS_IN_COLUMN", "A missing value stands where the model takes none", field, "fill it");
            }
            values[at] = value == null ? (Object) Double.NaN : SignatureType.check(element(), value, field);
        }
        long[] sizes = sizes(values.length, fields.get(columns[0]));
        switch (type) {
            case FLOAT:
                float[] floats = new float[values.length];
                for (int at = 0; at < floats.length; at++) {
                    floats[at] = ((Number) values[at]).floatValue();
                }
                return OnnxTensor.createTensor(environment, FloatBuffer.wrap(floats), sizes);
            case DOUBLE:
                double[] doubles = new double[values.length];
                for (int at = 0; at < doubles.length; at++) {
                    doubles[at] = ((Number) values[at]).doubleValue();
                }
                return OnnxTensor.createTensor(environment, DoubleBuffer.wrap(doubles), sizes);
            case INT32:
                int[] integers = new int[values.length];
                for (int at = 0; at < integers.length; at++) {
                    integers[at] = ((Number) values[at]).intValue();
                }
                return OnnxTensor.createTensor(environment, IntBuffer.wrap(integers), sizes);
            case INT64:
                long[] longs = new long[values.length];
                for (int at = 0; at < longs.length; at++) {
                    longs[at] = ((Number) values[at]).longValue();
                }
                return OnnxTensor.createTensor(environment, LongBuffer.wrap(longs), sizes);
            default:
                String[] texts = new String[values.length];
                for (int at = 0; at < texts.length; at++) {
                    texts[at] = (String) values[at];
                }
                return OnnxTensor.createTensor(environment, texts, sizes);
        }
    }

    private static Object[] items(Object value, String field) {
        if (value instanceof double[] numbers) {
            return java.util.Arrays.stream(numbers).boxed().toArray();
        }
        if (value instanceof List<?> list) {
            return list.toArray();
        }
        throw RowException.ofField("COLUMN_TYPE", "A value is no list", field, "");
    }

    private long[] sizes(int count, String field) {
        long[] sizes = shape.clone();
        long known = 1;
        int open = -1;
        for (int axis = 0; axis < sizes.length; axis++) {
            if (sizes[axis] < 0) {
                open = axis;
            } else {
                known *= sizes[axis];
            }
        }
        if (open >= 0 && known > 0) {
            sizes[open] = count / known;
            known *= sizes[open];
        }
        if (known != count) {
            throw RowException.ofField(
                    "TENSOR_SHAPE",
                    "A row has %d elements where the model takes %d".formatted(count, known),
                    field,
                    "");
        }
        return sizes;
    }
}
