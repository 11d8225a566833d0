using System.Collections.Frozen;

namespace Finery.Data.Tokenizers.Jinja;

/// <summary>What stands after a bar.</summary>
internal delegate object? Filter(Interpreter run, object? value, Arguments arguments);

/// <summary>Jinja's filters, those of text and numbers here and those of lists in <see cref="ListFilters"/>; <c>tojson</c> is
/// HF's, without HTML escapes.</summary>
internal static class Filters
{
    private static readonly FrozenDictionary<string, Filter> All = TextFilters.Create().Concat(ListFilters.Create())
        .ToFrozenDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);

    public static Filter? Find(string name) => All.GetValueOrDefault(name);
}
