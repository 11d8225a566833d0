namespace Finery.Data.Deduplication.Spans;

/// <summary>Decides which occurrences of the same span are removed. Is shown those of one key after another, in the order of the
/// documents, and remembers only so many at a time.</summary>
internal abstract class SpanRule
{
    /// <summary>Another key begins.</summary>
    /// <param name="known">Whether it is in the index.</param>
    public abstract void Start(bool known);

    /// <summary>The next occurrence.</summary>
    public abstract void Add(SpanKey span, Action<SpanKey> remove);
}

/// <summary>The first occurrence stays, unless an index has it.</summary>
internal sealed class AllButFirst : SpanRule
{
    private bool _isKnown;

    public override void Start(bool known) => _isKnown = known;

    public override void Add(SpanKey span, Action<SpanKey> remove)
    {
        if (_isKnown)
            remove(span);
        _isKnown = true;
    }
}

/// <summary>All occurrences go if there are more than a number of them in a bucket of consecutive documents.</summary>
/// <param name="most">That number.</param>
/// <param name="bucketOf">Number of a document's bucket.</param>
internal sealed class MoreThan(int most, Func<ulong, long> bucketOf) : SpanRule
{
    private readonly List<SpanKey> _waiting = [];
    private long _bucket;

    public override void Start(bool known)
    {
        _waiting.Clear();
        _bucket = -1;
    }

    public override void Add(SpanKey span, Action<SpanKey> remove)
    {
        if (bucketOf(span.Position) is var bucket && bucket != _bucket)
        {
            _bucket = bucket;
            _waiting.Clear();
        }
        if (_waiting.Count == most)
        {
            // One more than allowed: those held back go too, and from here on each at once.
            foreach (var held in _waiting)
                if (held.Position != DocumentPosition.None)
                    remove(held);
            for (var i = 0; i < most; i++)
                _waiting[i] = new(0, DocumentPosition.None, 0);
            remove(span);
        }
        else
            _waiting.Add(span);
    }
}

/// <summary>What occurs in two documents of a group goes from all of them; of what repeats within one document the first
/// stays.</summary>
/// <param name="groupOf">Number of a document's group.</param>
/// <param name="keepFirst">Whether the first document of the group keeps it.</param>
internal sealed class SharedInGroup(Func<ulong, long> groupOf, bool keepFirst) : SpanRule
{
    private SpanKey? _first;
    private bool _isShared;

    public override void Start(bool known) => _first = null;

    public override void Add(SpanKey span, Action<SpanKey> remove)
    {
        if (_first is not { } first || groupOf(first.Position) != groupOf(span.Position))
        {
            (_first, _isShared) = (span, false);
            return;
        }
        if (!_isShared && span.Position != first.Position)
        {
            _isShared = true;
            if (!keepFirst)
                remove(first);
        }
        remove(span);
    }
}
