namespace Finery.Data.Deduplication.Substrings;

/// <summary>
/// Hashes of all windows of a length, each from the one before: polynomials modulo 2^61-1 (Karp and Rabin 1987) at one radix. Two
/// radices together collide once in 2^122 pairs.
/// </summary>
internal struct RollingHash
{
    private const ulong Modulus = (1UL << 61) - 1;

    private readonly ulong _radix;
    private readonly ulong _outgoing;

    /// <param name="radix">Any large odd number below the modulus.</param>
    /// <param name="length">Of the windows.</param>
    public RollingHash(ulong radix, int length)
    {
        _radix = radix;
        _outgoing = 1;
        for (var i = 0; i < length; i++)
            _outgoing = Multiply(_outgoing, radix);
    }

    /// <summary>Hash of the tokens taken in and not let out.</summary>
    public ulong Value { get; private set; }

    public void Add(ulong token) => Value = Reduce(Multiply(Value, _radix) + Shorten(token));

    /// <summary>Lets the oldest token out, after one was taken in.</summary>
    public void Remove(ulong token) => Value = Reduce(Value + Modulus - Multiply(Shorten(token), _outgoing));

    // Never zero, so that leading tokens count.
    private static ulong Shorten(ulong token) => Reduce((token & Modulus) + (token >> 61) + 1);

    private static ulong Multiply(ulong a, ulong b)
    {
        var high = Math.BigMul(a, b, out var low);
        return Reduce((low & Modulus) + ((low >> 61) | (high << 3)));
    }

    private static ulong Reduce(ulong value)
    {
        value = (value & Modulus) + (value >> 61);
        return value >= Modulus ? value - Modulus : value;
    }
}
