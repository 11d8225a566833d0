namespace Finery.Data.Tokenizers;

/// <summary>What an expression is made of, between parsing and compiling.</summary>
internal abstract class RegexNode
{
    private FirstSet? _first;

    /// <summary>What a match of this can begin with.</summary>
    public FirstSet First => _first ??= FindFirst();

    /// <summary>The number of code points in every match, or null where it differs.</summary>
    public abstract int? Length { get; }

    protected abstract FirstSet FindFirst();
}

/// <param name="Set">What the first code point is in, where the match is not empty.</param>
/// <param name="CanBeEmpty">Whether the match can be empty; it may then ask anything of what follows.</param>
internal sealed record FirstSet(CodePointSet Set, bool CanBeEmpty)
{
    public static readonly FirstSet Nothing = new(CodePointSet.Empty, true);
}

/// <summary>One code point.</summary>
internal sealed class SetNode(CodePointSet set) : RegexNode
{
    public CodePointSet Set => set;

    public override int? Length => 1;

    protected override FirstSet FindFirst() => new(set, CanBeEmpty: false);
}

/// <summary>One after the other; without items, the empty match.</summary>
internal sealed class SequenceNode(IReadOnlyList<RegexNode> items) : RegexNode
{
    public IReadOnlyList<RegexNode> Items => items;

    public override int? Length => items.Aggregate((int?)0, (sum, item) => sum + item.Length);

    protected override FirstSet FindFirst()
    {
        CodePointSet set = CodePointSet.Empty;
        foreach (RegexNode item in items)
        {
            set = set.Union(item.First.Set);
            if (!item.First.CanBeEmpty) return new(set, CanBeEmpty: false);
        }
        return new(set, CanBeEmpty: true);
    }
}

/// <summary>The first alternative that lets the rest match.</summary>
internal sealed class ChoiceNode(IReadOnlyList<RegexNode> alternatives) : RegexNode
{
    public IReadOnlyList<RegexNode> Alternatives => alternatives;

    public override int? Length => alternatives.All(node => node.Length == alternatives[0].Length) ? alternatives[0].Length : null;

    protected override FirstSet FindFirst() => new(
        alternatives.Aggregate(CodePointSet.Empty, (set, node) => set.Union(node.First.Set)),
        alternatives.Any(node => node.First.CanBeEmpty));
}

internal enum Greed
{
    /// <summary>As many as the rest allows.</summary>
    Greedy,

    /// <summary>As few as the rest allows.</summary>
    Lazy,

    /// <summary>As many as there are, whatever follows.</summary>
    Possessive,
}

internal sealed class RepeatNode(RegexNode body, int least, int most, Greed greed) : RegexNode
{
    public const int Unlimited = int.MaxValue;

    public RegexNode Body => body;

    public int Least => least;

    public int Most => most;

    public Greed Greed => greed;

    public override int? Length => least == most && body.Length is { } length && (long)length * least <= int.MaxValue
        ? length * least
        : null;

    protected override FirstSet FindFirst() => body.First with { CanBeEmpty = least == 0 || body.First.CanBeEmpty };
}

/// <summary>Once matched, nothing inside is tried again.</summary>
internal sealed class AtomicNode(RegexNode body) : RegexNode
{
    public RegexNode Body => body;

    public override int? Length => body.Length;

    protected override FirstSet FindFirst() => body.First;
}

/// <summary>Whether something stands, or does not stand, before or after a place.</summary>
internal sealed class LookNode(RegexNode body, bool behind, bool negative) : RegexNode
{
    public RegexNode Body => body;

    public bool Behind => behind;

    public bool Negative => negative;

    public override int? Length => 0;

    protected override FirstSet FindFirst() => FirstSet.Nothing;
}

internal enum Anchor
{
    /// <summary><c>\A</c>.</summary>
    TextStart,

    /// <summary><c>\z</c>.</summary>
    TextEnd,

    /// <summary><c>\Z</c>: the end, or before a line feed there.</summary>
    LastLineEnd,

    /// <summary><c>^</c>: the start of the text, or after a line feed that is not its last character.</summary>
    LineStart,

    /// <summary><c>$</c>: the end of the text, or before a line feed.</summary>
    LineEnd,

    /// <summary><c>\b</c>.</summary>
    WordBoundary,

    /// <summary><c>\B</c>.</summary>
    InsideWord,
}

internal sealed class AnchorNode(Anchor anchor) : RegexNode
{
    public Anchor Anchor => anchor;

    public override int? Length => 0;

    protected override FirstSet FindFirst() => FirstSet.Nothing;
}
