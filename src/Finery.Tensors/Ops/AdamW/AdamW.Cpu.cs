using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void AdamWCore(
        Tensor weight, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWSettings settings)
    {
        var update = new AdamWUpdate(
            weight.FloatPointer, gradient.FloatPointer, firstMoment.FloatPointer, secondMoment.FloatPointer, weight.Length, settings);
        _pool.For((int)((weight.Length + AdamWUpdate.Block - 1) / AdamWUpdate.Block), update);
    }

    private readonly struct AdamWUpdate(float* weight, float* gradient, float* first, float* second, long length, AdamWSettings settings)
        : IParallelBody
    {
        public const int Block = 1 << 14;

        private readonly float _decay = (float)(1 - (double)settings.LearningRate * settings.WeightDecay);
        private readonly float _step = (float)(settings.LearningRate / (1 - Math.Pow(settings.Beta1, settings.Step)));
        private readonly float _correction = (float)(1 / (1 - Math.Pow(settings.Beta2, settings.Step)));
        private readonly float _keep1 = settings.Beta1, _take1 = (float)(1 - (double)settings.Beta1);
        private readonly float _keep2 = settings.Beta2, _take2 = (float)(1 - (double)settings.Beta2);
        private readonly float _scale = settings.GradientScale, _epsilon = settings.Epsilon;

        public void Run(int task, int worker)
        {
            long start = (long)task * Block, end = Math.Min(length, start + Block);
            long i = Vector512.IsHardwareAccelerated ? Update512(start, end)
                : Vector256.IsHardwareAccelerated ? Update256(start, end) : Update128(start, end);
            for (; i < end; i++)
            {
                float g = gradient[i] * _scale;
                float m = _keep1 * first[i] + _take1 * g;
                float v = _keep2 * second[i] + _take2 * g * g;
                (first[i], second[i], gradient[i]) = (m, v, 0);
                weight[i] = weight[i] * _decay - _step * m / (MathF.Sqrt(v * _correction) + _epsilon);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private long Update512(long i, long end)
        {
            for (; i + 16 <= end; i += 16)
            {
                var g = Vector512.Load(gradient + i) * _scale;
                var m = Vector512.Load(first + i) * _keep1 + g * _take1;
                var v = Vector512.Load(second + i) * _keep2 + g * _take2 * g;
                m.Store(first + i);
                v.Store(second + i);
                Vector512<float>.Zero.Store(gradient + i);
                var root = Vector512.Sqrt(v * _correction) + Vector512.Create(_epsilon);
                (Vector512.Load(weight + i) * _decay - m * _step / root).Store(weight + i);
            }
            return i;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private long Update256(long i, long end)
        {
            for (; i + 8 <= end; i += 8)
            {
                var g = Vector256.Load(gradient + i) * _scale;
                var m = Vector256.Load(first + i) * _keep1 + g * _take1;
                var v = Vector256.Load(second + i) * _keep2 + g * _take2 * g;
                m.Store(first + i);
                v.Store(second + i);
                Vector256<float>.Zero.Store(gradient + i);
                var root = Vector256.Sqrt(v * _correction) + Vector256.Create(_epsilon);
                (Vector256.Load(weight + i) * _decay - m * _step / root).Store(weight + i);
            }
            return i;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private long Update128(long i, long end)
        {
            for (; i + 4 <= end; i += 4)
            {
                var g = Vector128.Load(gradient + i) * _scale;
                var m = Vector128.Load(first + i) * _keep1 + g * _take1;
                var v = Vector128.Load(second + i) * _keep2 + g * _take2 * g;
                m.Store(first + i);
                v.Store(second + i);
                Vector128<float>.Zero.Store(gradient + i);
                var root = Vector128.Sqrt(v * _correction) + Vector128.Create(_epsilon);
                (Vector128.Load(weight + i) * _decay - m * _step / root).Store(weight + i);
            }
            return i;
        }
    }
}
