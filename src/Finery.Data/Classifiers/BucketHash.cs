using System.Numerics;
using System.Runtime.CompilerServices;

namespace Finery.Data.Classifiers;

/// <summary>Remainders by the number of buckets without dividing (Lemire, Kaser, Kurz, "Faster remainder by direct computation",
/// 2019): exact for 32 bits.</summary>
internal readonly struct BucketHash(int bucket)
{
    private readonly uint _bucket = (uint)bucket;
    private readonly ulong _inverse = bucket == 0 ? 0 : ulong.MaxValue / (uint)bucket + 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Of(uint hash) => (int)Math.BigMul(_inverse * hash, _bucket, out _);

    /// <summary>For the 64-bit hashes of word n-grams.</summary>
    public int Of(ulong hash) => BitOperations.IsPow2(_bucket) ? (int)(hash & (_bucket - 1)) : (int)(hash % _bucket);
}
