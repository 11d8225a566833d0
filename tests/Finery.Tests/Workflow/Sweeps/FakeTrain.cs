using Finery.Training.Scaling;
using Finery.Workflow.Recipes;
using Finery.Workflow.Runs;
using Finery.Workflow.Steps;
using Finery.Workflow.Sweeps;
using Xunit;

namespace Finery.Tests.Workflow.Sweeps;

/// <summary>Pretends to train: the loss falls towards a floor that depends on settings and seed.</summary>
internal sealed record FakeTrain : Step, ITrainingStep
{
    [Input(ArtifactKind.Documents)]
    public required Artifact Documents { get; init; }

    public double LearningRate { get; init; } = 0.5;

    public string Optimizer { get; init; } = "slow";

    public int Steps { get; init; } = 100;

    public int Size { get; init; } = 1_000_000;

    public override IReadOnlyList<StepOutput> Outputs => [new("model", ArtifactKind.Model)];

    public override IEnumerable<(string Property, string Message)> Validate() =>
        Steps < 1 ? [(nameof(Steps), "must be positive")] : [];

    public override void Run(StepContext context)
    {
        if (Optimizer == "broken") throw new InvalidOperationException("it broke");
        if (LearningRate > 10) throw new StepFailedException(ExitCode.Diverged, "it diverged");
        double noise = context.Seed % 1000 / 1e5, floor = 2 + Math.Pow(Math.Log(LearningRate / 0.1), 2) / 10 + noise;
        double speed = Optimizer == "fast" ? 2 : 1, loss = 0;
        context.TruncateMetrics(0);
        for (int i = 0; i < Steps; i++)
        {
            FakeCount.After.Value?.Invoke(i);
            context.Stop.ThrowIfCancellationRequested();
            loss = floor + Math.Exp(-0.05 * speed * i);
            context.Metrics(i, ("loss", loss));
        }
        Directory.CreateDirectory(context.Output("model"));
        File.WriteAllText(Path.Combine(context.Output("model"), "weights"), FormattableString.Invariant($"{this.LearningRate} {Optimizer} {context.Seed}"));
        context.Summary["final_loss"] = LearningRate < 0 ? double.NaN : loss;
        context.Summary["parameters"] = Size;
        context.Summary["tokens"] = Steps * 10_000L;
        context.Summary["lawful_loss"] = ScalingLaw.DotNetDocumentation.Loss(Size, Steps * 10_000L) * (Optimizer == "fast" ? 0.95 : 1);
        context.Summary["rows"] = new System.Text.Json.Nodes.JsonArray(new System.Text.Json.Nodes.JsonObject { ["value"] = loss });
    }
}

/// <summary>Reads a model.</summary>
internal sealed record FakeScore : Step
{
    [Input(ArtifactKind.Model)]
    public required IReadOnlyList<Artifact> Models { get; init; }

    public override IReadOnlyList<StepOutput> Outputs => [new("score.txt", ArtifactKind.Evaluation)];

    public override void Run(StepContext context)
    {
        File.WriteAllText(context.Output("score.txt"), File.ReadAllText(Path.Combine(Models[0].Path, "weights")));
        context.Summary["score"] = 1.0;
    }
}

/// <summary>A corpus, two steps that prepare it, a training and a score, swept in a folder of its own.</summary>
internal sealed class SweepFolder : IDisposable
{
    private const string Recipe = """
        name: base
        seed: 5
        steps:
          corpus:
            type: read
            file: INPUT
          clean:
            type: filter
            documents: corpus
          pretrain:
            type: train
            documents: clean
          evaluate:
            type: score
            models: [pretrain]
        """;

    public static readonly RecipeSchema Schema = Fake.Schema with
    {
        Steps = new Dictionary<string, Type>(Fake.Schema.Steps) { ["train"] = typeof(FakeTrain), ["score"] = typeof(FakeScore) },
    };

    private readonly Folder _folder = new();

    public SweepFolder() => _folder.Write("sub/base.yaml", Recipe.Replace("INPUT", _folder.Write("in.txt", "some text\n")));

    public string this[string name] => _folder[name];

    public string Run => _folder["run"];

    public void Dispose()
    {
        FakeCount.After.Value = null;
        _folder.Dispose();
    }

    public SweepResult Load(string sweep, params string[] overrides) =>
        SweepFile.Load(_folder.Write("sub/sweep.yaml", sweep), Run, overrides, Schema);

    public Sweep Expand(string sweep, params string[] overrides)
    {
        var result = Load(sweep, overrides);
        Assert.Equal([], result.Errors.Select(error => error.ToString()));
        return result.Sweep!;
    }

    /// <summary>Errors without the folder's name.</summary>
    public string[] Errors(string sweep, params string[] overrides) =>
        [.. Load(sweep, overrides).Errors.Select(error => error.ToString().Replace(_folder["sub"] + Path.DirectorySeparatorChar, ""))];

    public (RunResult Result, SweepRecord Record) Execute(Sweep sweep, CancellationToken stop = default)
    {
        SweepRecord? record = null;
        var options = new RunOptions { Threads = 1, Report = folder => record = SweepOutcome.Write(sweep, folder) };
        var result = new Runner(Schema).Run(sweep.Recipe, Run, options, new SilentObserver(), stop);
        Assert.NotNull(record);
        return (result, record);
    }
}
