using Finery.Tensors;
using Finery.Training.Averaging;
using Xunit;

namespace Finery.Tests.Training.Averaging;

public class WeightAverageTests
{
    private static void Set(TinyModel tiny, long step)
    {
        foreach (var parameter in tiny.Model.Parameters)
        {
            ulong key = CounterRandom.Key((ulong)step, parameter.Name);
            for (int i = 0; i < parameter.Weight.Length; i++)
            {
                float value = (float)CounterRandom.Normal(key, (ulong)i);
                if (parameter.Weight.Type == DType.BF16) parameter.Weight.BFloat16s[i] = (BFloat16)value;
                else parameter.Weight.Floats[i] = value;
            }
        }
    }

    private static double[] Element(IReadOnlyList<long> steps, string name, int index) =>
        [.. steps.Select(step => (double)(float)CounterRandom.Normal(CounterRandom.Key((ulong)step, name), (ulong)index))];

    [Fact]
    public void A_uniform_average_is_the_mean_of_all_taken()
    {
        using var tiny = new TinyModel();
        using var average = new WeightAverage(tiny.Model.Parameters, new() { Kind = AverageKind.Uniform, FromStep = 3, EverySteps = 2 });
        for (long step = 0; step < 10; step++)
        {
            Set(tiny, step);
            average.Update(step);
        }
        Assert.Equal(4, average.Count);
        average.CopyTo(tiny.Model.Parameters);
        var norm = tiny.Model.Parameters[^1];
        for (int i = 0; i < norm.Weight.Length; i++)
            Assert.Equal(Element([3, 5, 7, 9], norm.Name, i).Average(), norm.Weight.Floats[i], 1e-6);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void An_exponential_average_begins_as_the_first_weights_and_follows_its_recursion(DType type)
    {
        using var tiny = new TinyModel(weightType: type);
        using var average = new WeightAverage(tiny.Model.Parameters, new() { Decay = 0.75 });
        for (long step = 0; step < 5; step++)
        {
            Set(tiny, step);
            average.Update(step);
        }
        var parameter = tiny.Model.Parameters[1];
        for (int i = 0; i < 5; i++)
        {
            double expected = 0;
            foreach (var (value, step) in Element([0, 1, 2, 3, 4], parameter.Name, i).Select((value, step) => (value, step)))
                expected = step == 0 ? value : 0.75 * expected + 0.25 * value;
            Assert.Equal(expected, average.State[1].Tensor.Floats[i], 1e-6);
        }
        average.CopyTo(tiny.Model.Parameters);
        Assert.Equal(average.State[1].Tensor.Floats[0], parameter.Weight.Floats[0]);
    }

    [Fact]
    public void An_average_with_restored_state_goes_on_to_the_bit()
    {
        using TinyModel tiny = new();
        var settings = new WeightAverageSettings { Kind = AverageKind.Uniform };
        using WeightAverage whole = new(tiny.Model.Parameters, settings), resumed = new(tiny.Model.Parameters, settings);
        for (long step = 0; step < 8; step++)
        {
            Set(tiny, step);
            whole.Update(step);
            if (step == 4)
            {
                foreach (var (mine, theirs) in resumed.State.Zip(whole.State)) theirs.Tensor.Bytes.CopyTo(mine.Tensor.Bytes);
            }
            if (step > 4) resumed.Update(step);
        }
        foreach (var (mine, theirs) in resumed.State.Zip(whole.State)) Assert.True(theirs.Tensor.Bytes.SequenceEqual(mine.Tensor.Bytes));
    }

    [Fact]
    public void Nothing_is_copied_before_weights_were_taken_or_into_another_shape()
    {
        using var tiny = new TinyModel();
        using var average = new WeightAverage(tiny.Model.Parameters, new());
        Assert.Throws<InvalidOperationException>(() => average.CopyTo(tiny.Model.Parameters));
        average.Update(0);
        Assert.Throws<ArgumentException>(() => average.CopyTo([.. tiny.Model.Parameters.Skip(1)]));
        Assert.Throws<ArgumentException>(() => average.CopyTo([.. tiny.Model.Parameters.Reverse()]));
    }
}
