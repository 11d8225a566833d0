namespace Finery.Data.Deduplication;

/// <summary>MT19937 (Matsumoto and Nishimura 1998) seeded by <c>init_genrand</c>, as NumPy's legacy generator is.</summary>
internal sealed class MersenneTwister
{
    private const int N = 624;
    private const int M = 397;

    private readonly uint[] _state = new uint[N];
    private int _index = N;

    public MersenneTwister(uint seed)
    {
        _state[0] = seed;
        for (var i = 1; i < N; i++)
            _state[i] = 1812433253u * (_state[i - 1] ^ (_state[i - 1] >> 30)) + (uint)i;
    }

    public uint NextUInt32()
    {
        if (_index == N)
            Refill();
        var y = _state[_index++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C5680;
        y ^= (y << 15) & 0xEFC60000;
        return y ^ (y >> 18);
    }

    /// <summary>Uniform in [low, high) by masked rejection; the first of two 32-bit draws is the upper half.</summary>
    public ulong NextUInt64(ulong low, ulong high, ulong mask)
    {
        while (true)
        {
            var value = (((ulong)NextUInt32() << 32) | NextUInt32()) & mask;
            if (value <= high - 1 - low)
                return low + value;
        }
    }

    private void Refill()
    {
        for (var i = 0; i < N; i++)
        {
            var y = (_state[i] & 0x80000000) | (_state[(i + 1) % N] & 0x7FFFFFFF);
            _state[i] = _state[(i + M) % N] ^ (y >> 1) ^ ((y & 1) * 0x9908B0DF);
        }
        _index = 0;
    }
}
