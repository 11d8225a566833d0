namespace Finery.Data.Classifiers;

/// <summary>What happens to a text before a classifier learns from it or judges it.</summary>
/// <param name="LowerCase">Whether it is judged in lower case.</param>
/// <param name="NewlineReplacement">What line feeds become.</param>
internal sealed record TextPreparation(bool LowerCase, string NewlineReplacement)
{
    public string Apply(string text)
    {
        text = text.Trim().Replace("\n", NewlineReplacement, StringComparison.Ordinal);
        return LowerCase ? text.ToLowerInvariant() : text;
    }
}
