using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

public class TapeObserveTests : OpTest
{
    private sealed class Recorder : ITapeObserver
    {
        public List<(string Op, float[] Read, float[] Written)> Seen { get; } = [];

        public void After(string op, IReadOnlyList<Tensor?> reads, IReadOnlyList<Tensor?> writes) =>
            Seen.Add((op, reads[0]!.Floats.ToArray(), writes[0]!.Floats.ToArray()));
    }

    [Fact]
    public void Every_op_is_shown_while_what_it_read_and_wrote_is_there()
    {
        using var kernels = new CpuKernels(1);
        var tape = new Tape(kernels, Arena, gradients: false);
        Tensor x = Normal(1, 1f, 3, 4), first = Normal(2, 1f, 8, 4), second = Normal(3, 1f, 5, 4);
        var gateUp = tape.Linear(x, first);
        var mixed = tape.SwiGlu(gateUp);
        var y = tape.Linear(mixed, second);
        var recorder = new Recorder();
        tape.ForwardObserved(recorder);
        Assert.Equal(["Linear", "SwiGlu", "Linear"], recorder.Seen.Select(seen => seen.Op));
        Assert.Equal(x.Floats.ToArray(), recorder.Seen[0].Read);
        Assert.Equal(recorder.Seen[0].Written, recorder.Seen[1].Read);
        Assert.Equal(recorder.Seen[1].Written, recorder.Seen[2].Read);
        float[] observed = y.Floats.ToArray();
        tape.Forward();
        Assert.Equal(observed, y.Floats.ToArray());
    }
}
