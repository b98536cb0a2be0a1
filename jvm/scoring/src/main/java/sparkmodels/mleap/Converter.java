package sparkmodels.mleap;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import ml.combust.mleap.core.types.DataType;
import ml.combust.mleap.core.types.ListType;
import ml.combust.mleap.core.types.ScalarType;
import ml.combust.mleap.core.types.TensorType;
import ml.combust.mleap.tensor.DenseTensor;
import scala.collection.JavaConverters;
import scala.collection.Seq;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.RowException;
import sparkmodels.scoring.SignatureType;

/**
 * A value of one input as MLeap takes it: first checked by the signature, then brought to the model's own type as Spark
 * brings it there (numbers and booleans to double, and to text where a stage indexes them as text).
 */
final class Converter {
    private static final ClassTag<Object> DOUBLE = ClassTag$.MODULE$.apply(double.class);

    private final String field;
    private final Optional<String> declared;
    private final boolean nullable;
    private final String shape;
    private final String base;
    private final int size;
    private final Seq<Object> dimensions;

    /**
     * The converter of an input.
     *
     * @param declared the signature's type, else that of the sample; empty without both
     * @param type MLeap's; null for a column of the signature that the model does not use
     * @param nullable whether null goes to the model; else it is refused, as MLeap takes a null number for 0
     */
    Converter(String field, Optional<String> declared, DataType type, boolean nullable, String place) {
        this.field = field;
        this.declared = declared;
        this.nullable = nullable;
        this.shape = type == null
                ? "unused"
                : type instanceof ScalarType
                        ? "scalar"
                        : type instanceof ListType ? "list" : type instanceof TensorType ? "tensor" : "other";
        this.base = type == null ? "" : type.base().toString();
        this.size = type instanceof TensorType tensor ? length(tensor) : -1;
        this.dimensions = dimensions(Math.max(size, 0));
        if (shape.equals("other") || shape.equals("tensor") && !base.equals("double")) {
            throw new ModelException(
                    "UNSUPPORTED_INPUT",
                    "The input '%s' is of a type that is not scored here: %s of %s"
                            .formatted(field, type.simpleString(), base),
                    place);
        }
    }

    /** Sizes of vectors are known; -1 where the model takes any. */
    private static int length(TensorType type) {
        if (type.dimensions().isEmpty() || type.dimensions().get().size() != 1) {
            return -1;
        }
        return (Integer) type.dimensions().get().head();
    }

    private static Seq<Object> dimensions(int length) {
        return JavaConverters.asScalaBufferConverter(List.<Object>of(length))
                .asScala()
                .toList();
    }

    /** The type in words. */
    static String describe(DataType type) {
        if (type instanceof TensorType tensor) {
            return "tensor<" + type.base() + ">" + (length(tensor) < 0 ? "" : "[" + length(tensor) + "]");
        }
        return type instanceof ScalarType ? type.base().toString() : type.simpleString() + "<" + type.base() + ">";
    }

    boolean nullable() {
        return nullable;
    }

    Object convert(Object value) {
        if (value == null) {
            if (nullable) {
                return null;
            }
            throw RowException.ofField(
                    "NULLS_IN_COLUMN",
                    "A missing value stands where the model takes none",
                    field,
                    "fill it, or put an Imputer into the pipeline");
        }
        Object checked = declared.isEmpty() ? value : SignatureType.check(declared.get(), value, field);
        return switch (shape) {
            case "scalar" -> scalar(checked, base);
            case "list" -> list(checked);
            case "tensor" -> tensor(checked);
            default -> checked;
        };
    }

    private Object scalar(Object value, String type) {
        switch (type) {
            case "double":
                if (value instanceof Double) {
                    return value;
                }
                if (SignatureType.number(value) || declared.isPresent() && value instanceof Long) {
                    return ((Number) value).doubleValue();
                }
                if (declared.isPresent() && value instanceof Boolean flag) {
                    return flag ? 1.0 : 0.0;
                }
                break;
            case "string":
                if (value instanceof String
                        || declared.isPresent() && (value instanceof Number || value instanceof Boolean)) {
                    return value.toString();
                }
                break;
            case "boolean":
                if (value instanceof Boolean) {
                    return value;
                }
                break;
            case "float":
                if (value instanceof Float || value instanceof Double) {
                    return ((Number) value).floatValue();
                }
                break;
            case "long":
                if (SignatureType.integral(value, Long.MIN_VALUE, Long.MAX_VALUE)) {
                    return ((Number) value).longValue();
                }
                break;
            case "int":
                if (SignatureType.integral(value, Integer.MIN_VALUE, Integer.MAX_VALUE)) {
                    return ((Number) value).intValue();
                }
                break;
            case "short":
                if (SignatureType.integral(value, Short.MIN_VALUE, Short.MAX_VALUE)) {
                    return ((Number) value).shortValue();
                }
                break;
            case "byte":
                if (SignatureType.integral(value, Byte.MIN_VALUE, Byte.MAX_VALUE)) {
                    return ((Number) value).byteValue();
                }
                break;
            default:
        }
        throw wrong(value, type);
    }

    private Object list(Object value) {
        if (!(value instanceof List<?> items)) {
            throw wrong(value, "a list of " + base);
        }
        List<Object> result = new ArrayList<>(items.size());
        for (Object item : items) {
            if (item == null) {
                throw RowException.ofField("NULLS_IN_COLUMN", "A missing value stands in a list", field, "");
            }
            result.add(scalar(item, base));
        }
        return JavaConverters.asScalaBufferConverter(result).asScala().toList();
    }

    private Object tensor(Object value) {
        double[] values;
        if (value instanceof double[] given) {
            values = given.clone();
        } else if (value instanceof List<?> items) {
            values = new double[items.size()];
            for (int at = 0; at < values.length; at++) {
                values[at] = number(items.get(at));
            }
        } else if (value instanceof Map<?, ?> map) {
            values = sparse(map);
        } else {
            throw wrong(value, "a vector");
        }
        if (size >= 0 && values.length != size) {
            throw RowException.ofField(
                    "TENSOR_SHAPE",
                    "A vector has %d elements where the model takes %d".formatted(values.length, size),
                    field,
                    "");
        }
        return new DenseTensor<>(values, values.length == size ? dimensions : dimensions(values.length), DOUBLE);
    }

    /** Spark's JSON of a sparse vector: {@code {"size", "indices", "values"}}; of a dense one {@code {"values"}}. */
    private double[] sparse(Map<?, ?> map) {
        if (!(map.get("values") instanceof List<?> values)) {
            throw wrong(map, "a vector");
        }
        if (!(map.get("indices") instanceof List<?> indices)
                || !(map.get("size") instanceof Integer length)
                || length < 0
                || indices.size() != values.size()
                || size >= 0 && length != size) {
            if (map.get("indices") == null && map.get("size") == null) {
                double[] dense = new double[values.size()];
                for (int at = 0; at < dense.length; at++) {
                    dense[at] = number(values.get(at));
                }
                return dense;
            }
            throw wrong(map, "a vector");
        }
        double[] dense = new double[length];
        for (int at = 0; at < indices.size(); at++) {
            if (!(indices.get(at) instanceof Integer index) || index < 0 || index >= length) {
                throw wrong(map, "a vector");
            }
            dense[index] = number(values.get(at));
        }
        return dense;
    }

    private double number(Object item) {
        if (item == null || !SignatureType.number(item)) {
            throw RowException.ofField("COLUMN_TYPE", "A vector holds what is no number", field, "");
        }
        return ((Number) item).doubleValue();
    }

    private RowException wrong(Object value, String type) {
        return RowException.ofField(
                "COLUMN_TYPE",
                "A value of type %s does not fit %s without loss"
                        .formatted(value.getClass().getSimpleName(), type),
                field,
                "");
    }
}
