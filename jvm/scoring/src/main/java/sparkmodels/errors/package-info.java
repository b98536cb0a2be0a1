/**
 * What can go wrong, by who is at fault: a {@link sparkmodels.errors.RowException} is of one row, an
 * {@link sparkmodels.errors.InputException} of the whole input, a {@link sparkmodels.errors.ModelException} of the package
 * or its model. Every text says what, where and how to mend it.
 */
package sparkmodels.errors;
