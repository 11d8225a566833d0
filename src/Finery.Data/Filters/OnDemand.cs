namespace Finery.Data.Filters;

/// <summary>
/// Something heavy (word lists, a model) that a settings record loads when first used and its threads share. A copy of the record
/// with other settings loads its own, and equality of records does not look at it.
/// </summary>
internal struct OnDemand<T> : IEquatable<OnDemand<T>>
    where T : class
{
    private static readonly Lock s_loading = new();

    private Entry? _entry;

    /// <summary>The value for <paramref name="owner"/>, loaded once; what <paramref name="load"/> throws is passed on each
    /// time.</summary>
    public T Get<TOwner>(TOwner owner, Func<TOwner, T> load)
        where TOwner : class
    {
        var entry = Volatile.Read(ref _entry);
        if (entry is not null && ReferenceEquals(entry.Owner, owner))
            return entry.Value;
        lock (s_loading)
        {
            if (_entry is null || !ReferenceEquals(_entry.Owner, owner))
                Volatile.Write(ref _entry, new(owner, load(owner)));
            return _entry!.Value;
        }
    }

    /// <inheritdoc/>
    public readonly bool Equals(OnDemand<T> other) => true;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is OnDemand<T>;

    /// <inheritdoc/>
    public override readonly int GetHashCode() => 0;

    private sealed record Entry(object Owner, T Value);
}
