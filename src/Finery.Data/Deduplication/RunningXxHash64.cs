namespace Finery.Data.Deduplication;

/// <summary>xxHash64 with seed 0 of bytes that come piece by piece; equal to <see cref="XxHash64.Hash"/> of them all.</summary>
internal struct RunningXxHash64()
{
    private readonly byte[] _pending = new byte[32];
    private XxHash64.Lanes _lanes = new(0);
    private ulong _converged;
    private ulong _length;

    /// <summary>The hash of what came so far.</summary>
    public readonly ulong Value => XxHash64.Finish(
        (_length < 32 ? XxHash64.Short(0) : _converged) + _length, _pending.AsSpan(0, (int)(_length % 32)));

    public void Append(ReadOnlySpan<byte> data)
    {
        var held = (int)(_length % 32);
        _length += (ulong)data.Length;
        if (held > 0)
        {
            var taken = Math.Min(32 - held, data.Length);
            data[..taken].CopyTo(_pending.AsSpan(held));
            data = data[taken..];
            if (held + taken < 32)
                return;
            ReadOnlySpan<byte> stripe = _pending;
            _converged = _lanes.Append(ref stripe);
        }
        if (data.Length >= 32)
            _converged = _lanes.Append(ref data);
        data.CopyTo(_pending);
    }
}
