using System.Runtime.CompilerServices;

namespace Finery.Tensors;

public sealed unsafe partial class CpuKernels
{
    private protected override void SgdCore(Tensor weight, Tensor? master, Tensor gradient, Tensor? momentum, in SgdSettings settings)
    {
        float* running = momentum is null ? null : momentum.FloatPointer;
        Update(weight, master, settings.Rounding, 0, weight.Length, new SgdStep(gradient.FloatPointer, running, settings));
    }

    private readonly struct SgdStep(float* gradient, float* momentum, SgdSettings settings) : IParameterMap
    {
        private readonly float _keep = (float)(1 - (double)settings.LearningRate * settings.WeightDecay);
        private readonly float _rate = settings.LearningRate, _momentum = settings.Momentum, _scale = settings.GradientScale;
        private readonly bool _nesterov = settings.Nesterov;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Next<W, V>(V p, long i) where W : struct, IWidth<V> where V : struct
        {
            V update = W.Multiply(W.Load(gradient + i), W.Broadcast(_scale)), mu = W.Broadcast(_momentum);
            W.Store(W.Broadcast(0), gradient + i);
            if (momentum != null)
            {
                V running = W.MultiplyAdd(W.Load(momentum + i), mu, update);
                W.Store(running, momentum + i);
                update = _nesterov ? W.MultiplyAdd(running, mu, update) : running;
            }
            return W.Subtract(W.Multiply(p, W.Broadcast(_keep)), W.Multiply(update, W.Broadcast(_rate)));
        }
    }
}
