/** The onnx flavor, scored by ONNX Runtime behind a Scorer; it is found when it is on the class path. */
package sparkmodels.onnx;
