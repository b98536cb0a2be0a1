/** The mleap flavor: a bundle is checked file by file, loaded by MLeap's runtime, and scored behind a Scorer. */
package sparkmodels.mleap;
