namespace Finery.Data.Classifiers;

/// <summary>A label and how probable the model holds it to be.</summary>
/// <param name="Label">As the model file spells it, with its prefix: <c>__label__en</c>.</param>
/// <param name="Probability">fastText's: exp(ln(p + 1e-5)), so it may exceed 1 by 1e-5.</param>
public readonly record struct FastTextPrediction(string Label, float Probability);
