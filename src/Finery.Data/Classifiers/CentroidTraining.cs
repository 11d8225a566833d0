using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Finery.Data.Classifiers;

/// <summary>k-means with 256 centroids for each part of vectors: 25 rounds over at most 65,536 of them, as in fastText.</summary>
internal static class CentroidTraining
{
    private const int K = ProductQuantiser.CentroidCount;
    private const int MostPoints = 256 * K;
    private const int Rounds = 25;

    // How far the halves of a split cluster are moved apart.
    private const float SplitDistance = 1e-7f;

    /// <summary>Trains centroids and encodes all vectors with them.</summary>
    /// <exception cref="InvalidDataException">There are fewer vectors than centroids.</exception>
    public static (ProductQuantiser Quantiser, byte[] Codes) Quantise(float[] values, int dimension, int partSize, int seed)
    {
        var count = values.Length / dimension;
        if (count < K)
            throw new InvalidDataException($"A matrix of {count} rows cannot be quantised: it takes at least {K}.");
        var quantiser = new ProductQuantiser(dimension, partSize, new float[dimension * K]);
        var codes = new byte[count * quantiser.PartCount];
        var random = new SplitMix64((ulong)(uint)seed);
        int[] order = [.. Enumerable.Range(0, count)];
        var points = new float[Math.Min(count, MostPoints) * partSize];
        for (var part = 0; part < quantiser.PartCount; part++)
        {
            var size = quantiser.SizeOf(part);
            Shuffle(order, ref random);
            var sample = points.AsSpan(0, Math.Min(count, MostPoints) * size);
            for (var i = 0; i < sample.Length / size; i++)
                values.AsSpan(order[i] * dimension + part * partSize, size).CopyTo(sample[(i * size)..]);
            var centroids = quantiser.Centroids.AsSpan(part * K * partSize, K * size);
            Train(sample, size, centroids, ref random);
            var columns = Transpose(centroids, size);
            for (var row = 0; row < count; row++)
                codes[row * quantiser.PartCount + part] =
                    Nearest(values.AsSpan(row * dimension + part * partSize, size), columns);
        }
        return (quantiser, codes);
    }

    private static void Train(ReadOnlySpan<float> points, int size, Span<float> centroids, ref SplitMix64 random)
    {
        // The sample is in random order already.
        points[..(K * size)].CopyTo(centroids);
        var codes = new byte[points.Length / size];
        for (var round = 0; round < Rounds; round++)
        {
            var columns = Transpose(centroids, size);
            for (var i = 0; i < codes.Length; i++)
                codes[i] = Nearest(points.Slice(i * size, size), columns);
            MoveToMeans(points, size, codes, centroids, ref random);
        }
    }

    private static void MoveToMeans(
        ReadOnlySpan<float> points, int size, byte[] codes, Span<float> centroids, ref SplitMix64 random)
    {
        var counts = new int[K];
        centroids.Clear();
        for (var i = 0; i < codes.Length; i++)
        {
            counts[codes[i]]++;
            for (var j = 0; j < size; j++)
                centroids[codes[i] * size + j] += points[i * size + j];
        }
        for (var k = 0; k < K; k++)
            for (var j = 0; j < size && counts[k] > 0; j++)
                centroids[k * size + j] /= counts[k];
        // An empty cluster takes half of another, chosen with a chance that grows with its size.
        for (var k = 0; k < K; k++)
        {
            if (counts[k] > 0)
                continue;
            var other = 0;
            while (random.NextSingle() * (codes.Length - K) >= counts[other] - 1)
                other = (other + 1) % K;
            for (var j = 0; j < size; j++)
            {
                var shift = (j % 2 * 2 - 1) * SplitDistance;
                centroids[k * size + j] = centroids[other * size + j] + shift;
                centroids[other * size + j] -= shift;
            }
            counts[k] = counts[other] / 2;
            counts[other] -= counts[k];
        }
    }

    private static float[] Transpose(ReadOnlySpan<float> centroids, int size)
    {
        var columns = new float[K * size];
        for (var k = 0; k < K; k++)
            for (var j = 0; j < size; j++)
                columns[j * K + k] = centroids[k * size + j];
        return columns;
    }

    // Of equally near centroids the first.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static byte Nearest(ReadOnlySpan<float> point, float[] columns)
    {
        ref var first = ref MemoryMarshal.GetArrayDataReference(columns);
        var best = Vector256.Create(float.PositiveInfinity);
        var bestIndex = Vector256<int>.Zero;
        var index = Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7);
        for (var k = 0; k < K; k += 8)
        {
            var distance = Vector256<float>.Zero;
            for (var j = 0; j < point.Length; j++)
            {
                var difference = Vector256.Create(point[j]) - Vector256.LoadUnsafe(ref Unsafe.Add(ref first, j * K + k));
                distance += difference * difference;
            }
            var isNearer = Vector256.LessThan(distance, best);
            best = Vector256.ConditionalSelect(isNearer, distance, best);
            bestIndex = Vector256.ConditionalSelect(isNearer.AsInt32(), index, bestIndex);
            index += Vector256.Create(8);
        }
        var lane = 0;
        for (var i = 1; i < 8; i++)
            if (best[i] < best[lane] || (best[i] == best[lane] && bestIndex[i] < bestIndex[lane]))
                lane = i;
        return (byte)bestIndex[lane];
    }

    private static void Shuffle(int[] items, ref SplitMix64 random)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = random.Below(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
