/**
 * For tests of a model: {@link sparkmodels.testkit.GoldenCases} are rows and what must come out for them, and each
 * {@link sparkmodels.testkit.Conflict} is a value that does not.
 */
package sparkmodels.testkit;
