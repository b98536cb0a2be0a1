package sparkmodels.onnx;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes ONNX models of one Gemm, y = x · weights + bias, in the format's protobuf. */
final class OnnxFile {
    private static final int FLOAT = 1;
    private static final int INT64 = 7;
    private static final int INTS = 7;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    static void linear(Path file, float bias, float... weights) throws IOException {
        OnnxFile graph = new OnnxFile()
                .message(1, gemm())
                .text(2, "linear")
                .message(5, tensor("weights", weights, weights.length, 1))
                .message(5, tensor("bias", new float[] {bias}, 1))
                .message(11, value("x", weights.length))
                .message(12, value("y", 1));
        OnnxFile model = new OnnxFile()
                .number(1, 8)
                .message(7, graph)
                .message(8, new OnnxFile().text(1, "").number(2, 13));
        Files.write(file, model.bytes.toByteArray());
    }

    /**
     * A classifier as skl2onnx writes it: scores of two classes by their labels, a map a row in a sequence.
     */
    static void zipMap(Path file, long... labels) throws IOException {
        OnnxFile attribute = new OnnxFile().text(1, "classlabels_int64s").number(20, INTS);
        for (long label : labels) {
            attribute.number(8, label);
        }
        OnnxFile zipped = new OnnxFile()
                .text(1, "y")
                .text(2, "scores")
                .text(4, "ZipMap")
                .message(5, attribute)
                .text(7, "ai.onnx.ml");
        OnnxFile element = new OnnxFile().message(1, new OnnxFile().number(1, FLOAT));
        OnnxFile map = new OnnxFile().message(5, new OnnxFile().number(1, INT64).message(2, element));
        OnnxFile scores = new OnnxFile()
                .text(1, "scores")
                .message(2, new OnnxFile().message(4, new OnnxFile().message(1, map)));
        OnnxFile graph = new OnnxFile()
                .message(1, gemm())
                .message(1, zipped)
                .text(2, "classifier")
                .message(5, tensor("weights", new float[] {1, 0, 0, -1}, 2, 2))
                .message(5, tensor("bias", new float[] {0.5f, 0}, 2))
                .message(11, value("x", 2))
                .message(12, scores);
        OnnxFile model = new OnnxFile()
                .number(1, 8)
                .message(7, graph)
                .message(8, new OnnxFile().text(1, "").number(2, 13))
                .message(8, new OnnxFile().text(1, "ai.onnx.ml").number(2, 1));
        Files.write(file, model.bytes.toByteArray());
    }

    private static OnnxFile gemm() {
        return new OnnxFile()
                .text(1, "x")
                .text(1, "weights")
                .text(1, "bias")
                .text(2, "y")
                .text(4, "Gemm");
    }

    private static OnnxFile tensor(String name, float[] values, int... dimensions) {
        OnnxFile tensor = new OnnxFile();
        for (int dimension : dimensions) {
            tensor.number(1, dimension);
        }
        ByteBuffer raw = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            raw.putFloat(value);
        }
        return tensor.number(2, FLOAT).text(8, name).field(9, raw.array());
    }

    private static OnnxFile value(String name, int width) {
        OnnxFile shape =
                new OnnxFile().message(1, new OnnxFile().text(2, "batch")).message(1, new OnnxFile().number(1, width));
        return new OnnxFile()
                .text(1, name)
                .message(
                        2,
                        new OnnxFile()
                                .message(1, new OnnxFile().number(1, FLOAT).message(2, shape)));
    }

    private OnnxFile message(int field, OnnxFile message) {
        return field(field, message.bytes.toByteArray());
    }

    private OnnxFile text(int field, String text) {
        return field(field, text.getBytes(StandardCharsets.UTF_8));
    }

    private OnnxFile field(int field, byte[] content) {
        varint(field << 3 | 2);
        varint(content.length);
        bytes.writeBytes(content);
        return this;
    }

    private OnnxFile number(int field, long number) {
        varint(field << 3);
        varint(number);
        return this;
    }

    private void varint(long number) {
        long rest = number;
        while (rest > 0x7f) {
            bytes.write((int) (rest & 0x7f | 0x80));
            rest >>>= 7;
        }
        bytes.write((int) rest);
    }
}
