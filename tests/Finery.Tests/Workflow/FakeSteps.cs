using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Finery.Workflow.Recipes;
using Finery.Workflow.Steps;

namespace Finery.Tests.Workflow;

internal enum FakeMode { Fast, VerySlow }

internal abstract record FakeFilter;

internal sealed record LengthFilter : FakeFilter
{
    [Range(1, 1000)]
    public int MinWords { get; init; } = 4;

    public int MaxWords { get; init; } = 100;

    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (MinWords > MaxWords) yield return (nameof(MinWords), "must not be above max_words");
    }
}

internal sealed record RatioFilter : FakeFilter
{
    [Range(0.0, 0.1)]
    public float Ratio { get; init; } = 0.1f;
}

internal sealed record Shape(int Width, int Depth = 2);

/// <summary>Copies one text file into a folder of documents.</summary>
internal sealed record FakeRead : Step
{
    public required string File { get; init; }

    [Description("How often the text is written.")]
    public int Repeat { get; init; } = 1;

    public override IReadOnlyList<StepOutput> Outputs => [new("documents", ArtifactKind.Documents)];

    public override IEnumerable<string> ExternalFiles() => [File];

    public override void Run(StepContext context)
    {
        string text = string.Concat(Enumerable.Repeat(System.IO.File.ReadAllText(File), Repeat));
        Directory.CreateDirectory(context.Output("documents"));
        System.IO.File.WriteAllText(Path.Combine(context.Output("documents"), "part.txt"), text);
        context.Log("read");
    }
}

/// <summary>Has a setting of every type, and writes what it was given.</summary>
internal sealed record FakeFilterStep : Step
{
    [Input(ArtifactKind.Documents)]
    public required Artifact Documents { get; init; }

    public IReadOnlyList<FakeFilter> Filters { get; init; } = [];

    [Range(0.0, 1.0)]
    public double LearningRate { get; init; } = 0.5;

    public bool Shuffle { get; init; }

    public FakeMode Mode { get; init; }

    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(10);

    public long? Cap { get; init; }

    public Shape? Shape { get; init; }

    public IReadOnlyList<string> Tags { get; init; } = ["a"];

    public IReadOnlyDictionary<string, double> Weights { get; init; } = new Dictionary<string, double>();

    public string Text { get; init; } = "";

    [Neutral]
    public int Memory { get; init; } = 100;

    public override IReadOnlyList<StepOutput> Outputs => [new("kept", ArtifactKind.Documents), new("plan.json", ArtifactKind.Plan)];

    public override void Run(StepContext context)
    {
        Directory.CreateDirectory(context.Output("kept"));
        foreach (string file in Directory.GetFiles(Documents.Path))
            File.Copy(file, Path.Combine(context.Output("kept"), Path.GetFileName(file)), overwrite: true);
        File.WriteAllText(context.Output("plan.json"), FormattableString.Invariant($"{LearningRate} {context.Seed} {Limit} {Cap}"));
        context.Summary["rate"] = LearningRate;
    }
}

/// <summary>Counts to a number, one line of output a time, with a checkpoint after every one.</summary>
internal sealed record FakeCount : Step
{
    /// <summary>What happens after each count: where tests make it fail.</summary>
    public static readonly AsyncLocal<Action<int>?> After = new();

    [Input(ArtifactKind.Documents)]
    public required Artifact Documents { get; init; }

    public int To { get; init; } = 5;

    public override IReadOnlyList<StepOutput> Outputs => [new("counts.txt", ArtifactKind.Plan)];

    public override void Run(StepContext context)
    {
        Directory.CreateDirectory(context.StateFolder);
        string state = Path.Combine(context.StateFolder, "lines");
        int done = File.Exists(state) ? File.ReadAllLines(state).Length : 0;
        context.TruncateMetrics(done);
        for (int i = done; i < To; i++)
        {
            File.AppendAllText(state, $"{i} {context.Seed}\n");
            context.Metrics(i, ("loss", i == 2 ? double.NaN : 1.0 / (i + 1)), ("lr", 1e-4));
            After.Value?.Invoke(i);
            context.Stop.ThrowIfCancellationRequested();
        }
        File.Copy(state, context.Output("counts.txt"), overwrite: true);
    }
}

internal static class Fake
{
    public static RecipeSchema Schema { get; } = new(
        new Dictionary<string, Type> { ["read"] = typeof(FakeRead), ["filter"] = typeof(FakeFilterStep), ["count"] = typeof(FakeCount) },
        [new SettingsFamily(typeof(FakeFilter), "filter", new Dictionary<string, Type> { ["length"] = typeof(LengthFilter), ["ratio"] = typeof(RatioFilter) })]);

    public static Recipe Recipe(string yaml, string runFolder, params string[] overrides)
    {
        var result = RecipeFile.Parse(yaml, "test.yaml", runFolder, overrides, Schema);
        Xunit.Assert.Equal([], result.Errors.Select(error => error.ToString()));
        return result.Recipe!;
    }
}

/// <summary>A folder that is gone after the test.</summary>
internal sealed class Folder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("finery-test-").FullName;

    public string this[string name] => System.IO.Path.Combine([Path, .. name.Split('/')]);

    public string Write(string name, string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[name])!);
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
