namespace Finery.Data.Tokenizers.Jinja;

/// <summary>Equality of keys as in Python: by value, numbers and booleans together, None a key like any other.</summary>
internal sealed class KeyComparer : IEqualityComparer<object?>
{
    public static readonly KeyComparer Instance = new();

    private static readonly object None = new();

    /// <summary>The key in a form a dictionary takes: it has no null.</summary>
    public static object Boxed(object? key) => key ?? None;

    public new bool Equals(object? left, object? right) => ReferenceEquals(left, right)
        || (left is string a && right is string b ? a == b : Comparison.AreEqual(left, right, null));

    public int GetHashCode(object? key) => key switch
    {
        null => 0,
        string text => text.GetHashCode(StringComparison.Ordinal),
        Markup markup => markup.Text.GetHashCode(StringComparison.Ordinal),
        bool or long or double => Comparison.ToDouble(key).GetHashCode(),
        Sequence { Kind: SequenceKind.Tuple } tuple => tuple.Items.Aggregate(17, (hash, item) => (hash * 31) + GetHashCode(item)),
        _ => key.GetHashCode(),
    };

    /// <summary>Whether it can be a key; a list cannot.</summary>
    public static bool CanBeKey(object? key) => key switch
    {
        Mapping => false,
        Sequence { Kind: SequenceKind.Tuple } tuple => tuple.Items.All(CanBeKey),
        Sequence { Kind: SequenceKind.Range } => true,
        Sequence => false,
        _ => true,
    };
}
