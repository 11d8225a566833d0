using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Finery.Cli.Terminal;
using Finery.Models;
using Finery.Tensors;
using Finery.Training.Scaling;
using Finery.Workflow.Runs;
using Finery.Workflow.Scaling;

namespace Finery.Cli.Commands;

/// <summary><c>finery scaling plan</c>: what to make of a budget, by every law.</summary>
public static class ScalingPlanCommand
{
    // A shape further from the law's size than this is not what the law asks for.
    private const double Near = 1.5;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var flops = new Option<double?>("--flops") { Description = "Budget in floating-point operations, 6 N D." };
        var hours = new Option<double?>("--hours") { Description = "Budget in hours of this machine, whose training speed is measured." };
        var speed = new Option<double?>("--flops-per-second") { Description = "Speed for --hours, instead of measuring." };
        var law = new Option<string?>("--law") { Description = "A law fitted with 'scaling fit --out'.", HelpName = "file.json" };
        var vocabulary = new Option<int>("--vocab-size") { Description = "Vocabulary of the shapes.",
            DefaultValueFactory = _ => 32768 };
        var length = new Option<int>("--sequence-length") { Description = "Tokens of a row.", DefaultValueFactory = _ => 1024 };
        var threads = ModelArgument.ThreadsOption();
        var json = new Option<bool>("--json") { Description = "As JSON." };
        foreach (var positive in new[] { flops, hours, speed })
            positive.Validators.Add(result =>
            {
                if (result.Tokens.Count > 0 && double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out double value)
                    && !(value > 0 && double.IsFinite(value))) result.AddError($"{result.Option.Name} must be positive.");
            });
        foreach (var whole in new[] { vocabulary, length })
            whole.Validators.Add(result =>
            {
                if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out int value) && value is < 16 or > 1 << 20)
                    result.AddError($"{result.Option.Name} must be from 16 to {1 << 20}.");
            });
        var command = new Command("plan",
            "Size, tokens, learning rate and batch for a budget, by published laws or a fitted one.")
        {
            flops, hours, speed, law, vocabulary, length, threads, json,
        };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            var (given, time) = (parsed.GetValue(flops), parsed.GetValue(hours));
            if (given is null == time is null) throw new UsageException("what budget? Give either --flops or --hours.");
            var laws = BudgetLaw.Published.ToList();
            if (parsed.GetValue(law) is { } file) laws.Insert(0, FittedLaw.Load(file));
            int rows = parsed.GetValue(length);
            ModelConfig[] shapes = [.. ComputeOptimalPlan.Shapes(parsed.GetValue(vocabulary), rows)];
            double operations = given
                ?? time!.Value * 3600 * (parsed.GetValue(speed) ?? Measure(shapes, parsed.GetValue(threads), streams));
            if (parsed.GetValue(json)) streams.Data.WriteLine(Json(laws, operations, shapes).ToJsonString());
            else Write(laws, operations, shapes, streams);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static double Measure(ModelConfig[] shapes, int threads, Streams streams)
    {
        using var kernels = new CpuKernels(threads);
        var shape = shapes.First(shape => shape is { EmbeddingSize: 256, LayerCount: 6 }) with { SequenceLength = 256 };
        double speed = ThroughputProbe.Measure(kernels, shape).FlopsPerSecond;
        streams.Messages.WriteLine($"This machine trains at {Quantities.Count(speed)} operations a second (width 256, 6 layers).");
        return speed;
    }

    private static void Write(List<BudgetLaw> laws, double operations, ModelConfig[] shapes, Streams streams)
    {
        streams.Data.WriteLine($"Budget: {ScalingReport.Number(operations)} operations");
        var table = new TextTable("law", "N", "D", "D/N", "loss", "learning rate", "batch tokens", "nearest shape", "N counts");
        foreach (var law in laws)
        {
            var plan = law.Plan(operations);
            var shape = Nearest(shapes, law, plan.Parameters);
            table.Add(law.Name, ScalingReport.Number(plan.Parameters), ScalingReport.Number(plan.Tokens),
                ScalingReport.Number(plan.Tokens / plan.Parameters),
                ScalingReport.Number(plan.Loss), ScalingReport.Number(plan.LearningRate), ScalingReport.Number(plan.BatchTokens),
                Shape(shape), law.Counting);
            if (law.Warning(operations) is { } warning) streams.Messages.WriteLine($"Careful: {warning}");
            double size = law.SizeOf(shape, shape.SequenceLength), off = Math.Max(size / plan.Parameters, plan.Parameters / size);
            if (off > Near) streams.Messages.WriteLine($"Careful: {law.Name}: the nearest shape has an N of {Quantities.Count(size)}");
        }
        table.Write(streams);
        streams.Data.WriteLine("Rates and batches are DeepSeek's, but for moonlight, which has its own.");
    }

    private static JsonObject Json(List<BudgetLaw> laws, double operations, ModelConfig[] shapes) => new()
    {
        ["operations"] = operations,
        ["laws"] = new JsonArray([.. laws.Select(law =>
        {
            var plan = law.Plan(operations);
            var shape = Nearest(shapes, law, plan.Parameters);
            return new JsonObject
            {
                ["law"] = law.Name,
                ["source"] = law.Source,
                ["counting"] = law.Counting,
                ["parameters"] = plan.Parameters,
                ["tokens"] = plan.Tokens,
                ["loss"] = double.IsFinite(plan.Loss) ? plan.Loss : null,
                ["learning_rate"] = plan.LearningRate,
                ["batch_tokens"] = plan.BatchTokens,
                ["warning"] = law.Warning(operations),
                ["shape"] = new JsonObject
                {
                    ["width"] = shape.EmbeddingSize, ["layers"] = shape.LayerCount, ["heads"] = shape.HeadCount,
                    ["kv_heads"] = shape.KvHeadCount,
                    ["feed_forward"] = shape.FeedForwardSize, ["parameters"] = shape.ParameterCount,
                },
            };
        })]),
    };

    private static ModelConfig Nearest(ModelConfig[] shapes, BudgetLaw law, double parameters) =>
        shapes.MinBy(shape => Math.Abs(Math.Log(law.SizeOf(shape, shape.SequenceLength) / parameters)))!;

    private static string Shape(ModelConfig shape) => string.Create(CultureInfo.InvariantCulture,
        $"{shape.EmbeddingSize} x {shape.LayerCount}, {Quantities.Count(shape.ParameterCount)}");
}
