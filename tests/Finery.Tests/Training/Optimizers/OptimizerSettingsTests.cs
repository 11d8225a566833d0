using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Optimizers;
using Xunit;

namespace Finery.Tests.Training.Optimizers;

public sealed class OptimizerSettingsTests : IDisposable
{
    private readonly Arena _arena = new("test");
    private readonly CpuKernels _kernels = new(1);

    public static TheoryData<string> Names => [.. OptimizerCatalogue.Optimizers.Keys];

    private static OptimizerSettings Settings(string name) => (OptimizerSettings)Activator.CreateInstance(OptimizerCatalogue.Optimizers[name])!;

    public void Dispose()
    {
        _kernels.Dispose();
        _arena.Dispose();
    }

    private Parameter Scalar(string name, bool decays = true)
    {
        var weight = _arena.Floats(name, 1);
        weight.Gradient = _arena.Floats("d" + name, 1);
        weight.Floats[0] = 1;
        return new(name, weight, decays);
    }

    /// <summary>Change of parameters by one update with these gradients, rate .1.</summary>
    private float[] Updated(OptimizerSettings settings, IReadOnlyList<Parameter> parameters, float gradient, GradientScales scales)
    {
        using var optimizer = settings.Create(parameters);
        foreach (var parameter in parameters) parameter.Weight.Gradient!.Floats[0] = gradient;
        optimizer.Step(_kernels, .1, scales);
        return [.. parameters.Select(parameter => parameter.Weight.Floats[0])];
    }

    [Theory, MemberData(nameof(Names))]
    public void Groups_have_their_own_rate_decay_and_epsilon_with_every_optimizer(string name)
    {
        var settings = Settings(name) with
        {
            Groups =
            [
                new() { Pattern = "^frozen$", RateScale = 0 },
                new() { Pattern = "norm", WeightDecay = 1 },
                new() { Pattern = "half|norm", RateScale = .5 },
            ],
        };
        Parameter[] parameters = [Scalar("frozen"), Scalar("norm", decays: false), Scalar("half"), Scalar("plain"), Scalar("undecayed", decays: false)];
        // Decay alone: no gradient.
        AssertNear([1, .9f, .995f, .99f, 1], Updated(settings, parameters, 0, 1));
        Parameter[] others = [Scalar("half", decays: false), Scalar("plain", decays: false)];
        float[] values = Updated(settings, others, 1, 1);
        Assert.Equal((1 - values[1]) / 2, 1 - values[0], 1e-6);
        Assert.True(values[1] < 1);
    }

    [Theory]
    [InlineData("adamw")]
    [InlineData("muon")]
    public void A_group_scales_epsilon(string name)
    {
        var settings = Settings(name) with { Groups = [new() { Pattern = "a", EpsilonScale = 1e8 }] };
        // m / (|m| + 1) beside m / |m| for a gradient of 1.
        float[] values = Updated(settings, [Scalar("a", false), Scalar("b", false)], 1, 1);
        AssertNear([.95f, .9f], values);
    }

    [Theory, MemberData(nameof(Names))]
    public void Patterns_say_what_does_not_decay(string name)
    {
        Parameter[] Fresh() => [Scalar("model.embed_tokens.weight", false), Scalar("model.norm.weight", false), Scalar("q_proj.weight")];
        AssertNear([1, 1, .99f], Updated(Settings(name), Fresh(), 0, 1));
        AssertNear([1, .99f, .99f], Updated(Settings(name) with { NoDecay = ["embed_tokens"] }, Fresh(), 0, 1));
        AssertNear([.99f, .99f, .99f], Updated(Settings(name) with { NoDecay = [] }, Fresh(), 0, 1));
    }

    [Fact]
    public void Every_parameter_may_have_a_gradient_factor_of_its_own()
    {
        var settings = new SgdOptimizerSettings { WeightDecay = 0, Momentum = 0 };
        AssertNear([.95f, .975f], Updated(settings, [Scalar("a"), Scalar("b")], 1, new(.5f, new[] { 1f, .5f })));
        AssertNear([.95f, .95f], Updated(settings, [Scalar("a"), Scalar("b")], 1, .5f));
        Assert.Throws<ArgumentException>(() => Updated(settings, [Scalar("a"), Scalar("b")], 1, new(1, new[] { 1f })));
    }

    [Theory, MemberData(nameof(Names))]
    public void Every_fault_is_listed(string name)
    {
        var settings = Settings(name) with
        {
            WeightDecay = -1,
            NoDecay = ["(", ""],
            Groups = [new() { Pattern = "[", RateScale = -1, WeightDecay = double.NaN, EpsilonScale = 0 }],
            QkClip = new() { Threshold = 0 },
        };
        string[] keys = ["weight_decay is -1", "no_decay '('", "no_decay ''", "groups '['", "rate_scale", "weight_decay is NaN", "epsilon_scale", "qk_clip: threshold"];
        string[] messages = [.. settings.Validate().Select(fault => fault.Message)];
        Assert.Equal(keys.Length, messages.Length);
        Assert.All(keys.Zip(messages), pair => Assert.Contains(pair.First, pair.Second, StringComparison.Ordinal));
        string error = Assert.Throws<ArgumentException>(() => settings.Create([Scalar("a")])).Message;
        Assert.All(keys, key => Assert.Contains(key, error, StringComparison.Ordinal));
        Assert.Empty(Settings(name).Validate());
    }

    [Fact]
    public void A_pattern_that_backtracks_without_end_is_an_error()
    {
        var settings = new AdamWOptimizerSettings { Groups = [new() { Pattern = "^(a+)+$" }] };
        var error = Assert.Throws<ArgumentException>(() => settings.Create([Scalar(new string('a', 60) + "!")]));
        Assert.Contains("(a+)+", error.Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Names))]
    public void The_description_names_every_setting(string name)
    {
        var settings = Settings(name);
        using var plain = settings.Create([Scalar("a")]);
        foreach (var property in settings.GetType().GetProperties().Where(property => property.SetMethod is not null))
            Assert.Contains(property.Name + "=", plain.Description, StringComparison.Ordinal);
        using var grouped = (settings with { Groups = [new() { Pattern = "b", RateScale = .1 }], QkClip = new() { Threshold = 50 } }).Create([Scalar("a")]);
        Assert.Contains("RateScale=0.1", grouped.Description, StringComparison.Ordinal);
        Assert.Contains("Threshold=50", grouped.Description, StringComparison.Ordinal);
        Assert.Contains("none", plain.Description, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Names))]
    public void An_observer_sees_every_parameter_before_and_after_and_a_reset_forgets_all_but_the_weights(string name)
    {
        using var model = new LlamaModel(TinyModel.Config, seed: 5, trainable: true, DType.BF16);
        using var optimizer = Settings(name).Create(model.Parameters);
        var recorder = new Recorder();
        optimizer.Observer = recorder;
        foreach (var parameter in model.Parameters) parameter.Weight.Gradient!.Floats.Fill(.25f);
        optimizer.Step(_kernels, .1, 1);
        Assert.Equal(model.Parameters.SelectMany(parameter => new[] { "before " + parameter.Name, "after " + parameter.Name }), recorder.Calls);
        Assert.True(recorder.Changed);
        byte[][] masters = [.. Enumerable.Range(0, model.Parameters.Count).Select(i => optimizer.MasterOf(i)?.Bytes.ToArray() ?? [])];
        Assert.Contains(masters, master => master.Any(value => value != 0));
        Assert.Equal(optimizer.State.Sum(state => state.Tensor.ByteLength), Settings(name).StateBytes(model.Parameters));
        optimizer.Reset();
        Assert.Equal(0, optimizer.Updates);
        for (int i = 0; i < masters.Length; i++) Assert.Equal(masters[i], optimizer.MasterOf(i)?.Bytes.ToArray() ?? []);
        foreach (var (state, tensor) in optimizer.State.Where(state => !state.Name.Contains(".low.", StringComparison.Ordinal)))
            Assert.All(tensor.Bytes.ToArray(), value => Assert.Equal(0, value));
    }

    [Theory, MemberData(nameof(Names))]
    public void A_step_allocates_nothing(string name)
    {
        using var model = new LlamaModel(TinyModel.Config, seed: 5, trainable: true, DType.BF16);
        using var optimizer = Settings(name).Create(model.Parameters);
        for (int i = 0; i < 30; i++) optimizer.Step(_kernels, 1e-3, .5f);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++) optimizer.Step(_kernels, 1e-3, .5f);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000);
    }

    private static void AssertNear(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-6f);
    }

    private sealed class Recorder : IUpdateObserver
    {
        private float _before;

        public List<string> Calls { get; } = [];

        public bool Changed { get; private set; }

        public void BeforeUpdate(Parameter p)
        {
            Calls.Add("before " + p.Name);
            Assert.Equal(.25f, p.Weight.Gradient!.Floats[0]);
            _before = Sum(p.Weight);
        }

        public void AfterUpdate(Parameter p)
        {
            Calls.Add("after " + p.Name);
            Assert.Equal(0, p.Weight.Gradient!.Floats[0]);
            Changed |= Sum(p.Weight) != _before;
        }

        private static float Sum(Tensor weight)
        {
            float sum = 0;
            for (int i = 0; i < weight.Length; i++) sum += weight.Type == DType.BF16 ? (float)weight.BFloat16s[i] : weight.Floats[i];
            return sum;
        }
    }
}
