/**
 * A package on disk, read without running anything of it: {@link sparkmodels.packages.ModelPackage} opens and verifies it,
 * {@link sparkmodels.packages.Signature} says what it takes and gives, {@link sparkmodels.packages.SafeArchive} unpacks what
 * may come from anyone, all within {@link sparkmodels.packages.Limits}.
 */
package sparkmodels.packages;
