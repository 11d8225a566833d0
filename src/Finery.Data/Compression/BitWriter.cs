using System.Runtime.CompilerServices;

namespace Finery.Data.Compression;

/// <summary>Writes bits from the lowest up. At most 57 may be added between two flushes; eight bytes behind the end are
/// overwritten. Every method is inlined: a writer whose address is taken would live in memory instead of registers.
/// </summary>
internal unsafe struct BitWriter(byte* target)
{
    private byte* _target = target;
    private ulong _bits;
    private int _count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(ulong value, int count)
    {
        _bits |= value << _count;
        _count += count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Flush()
    {
        *(ulong*)_target = _bits;
        _target += _count >> 3;
        _bits >>= _count & ~7;
        _count &= 7;
    }

    /// <summary>Fills the last byte with zeros; returns where the next begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* End()
    {
        Flush();
        return _target + (_count > 0 ? 1 : 0);
    }

    /// <summary>Ends a stream that is read backwards: a set bit marks its end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* EndBackward()
    {
        Add(1, 1);
        return End();
    }
}
