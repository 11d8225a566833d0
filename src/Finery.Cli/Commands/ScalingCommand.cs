using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Finery.Cli.Terminal;
using Finery.Training.Scaling;
using Finery.Workflow.Runs;
using Finery.Workflow.Scaling;

namespace Finery.Cli.Commands;

/// <summary><c>finery scaling</c>: laws of size and data, fitted and used.</summary>
public static class ScalingCommand
{
    private enum Method
    {
        Parametric,
        Constants,
        IsoFlop,
        Downstream,
    }

    /// <summary>The command.</summary>
    public static Command Create() => new("scaling", "Fit scaling laws to finished runs, and plan by them.")
    {
        Fit(), ScalingPlanCommand.Create(),
    };

    private static Command Fit()
    {
        var runs = new Argument<string[]>("runs")
        {
            Description = "Run folders, of sweeps too; their finished pretraining steps count.", Arity = ArgumentArity.ZeroOrMore,
        };
        var points = new Option<string[]>("--points")
        {
            Description = "Table of runs: parameters,tokens,loss (also name, unique_tokens, flops, nll, accuracy); may be repeated.",
            HelpName = "file.csv", DefaultValueFactory = _ => [],
        };
        var method = new Option<Method>("--method")
        {
            Description = "parametric: E, A, B and both exponents. constants: E, A and B with published exponents, for few runs. "
                + "isoflop: parabolas at equal operations. downstream: accuracy of the questions that evaluate steps asked, or of a table with flops, nll and accuracy.",
        };
        var starts = new Option<FitStarts>("--starts")
        {
            Description = "projection: one stable start. grid: the 4,500 starts of the published method.",
        };
        var holdout = new Option<string?>("--holdout") { Description = "Leave this run out and predict it; 'largest' for that of most operations." };
        var loss = new Option<string>("--loss")
        {
            Description = "Figure of the runs' summaries to fit, such as validation_loss.",
            DefaultValueFactory = _ => "final_loss",
        };
        var bootstrap = new Option<int>("--bootstrap") { Description = "Resamples for intervals; 0 for none.",
            DefaultValueFactory = _ => 400 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the resamples.", DefaultValueFactory = _ => 42 };
        var chance = new Option<double>("--chance") { Description = "Accuracy of a guess, for downstream.",
            DefaultValueFactory = _ => 0.25 };
        var output = new Option<string?>("--out") { Description = "File for the fit as JSON; a page with charts goes beside it.", HelpName = "file.json" };
        var json = new Option<bool>("--json") { Description = "The fit as JSON on stdout." };
        bootstrap.Validators.Add(result => RequireRange(result, 0, 100_000));
        var command = new Command("fit", "Fit a scaling law to finished runs.")
        {
            runs, points, loss, method, starts, holdout, bootstrap, seed, chance, output, json,
        };
        command.SetAction(parsed =>
        {
            var streams = CommandLine.StreamsOf(parsed);
            var all = Load(parsed.GetValue(runs)!, parsed.GetValue(points)!, parsed.GetValue(loss)!);
            string? held = parsed.GetValue(holdout);
            var (page, text, show) = parsed.GetValue(method) switch
            {
                Method.IsoFlop => IsoFlop(all, held, streams),
                Method.Downstream => Downstream(all, held, parsed.GetValue(chance), streams),
                var kind => Loss(all, new LossStudyOptions
                {
                    Starts = parsed.GetValue(starts), Resamples = parsed.GetValue(bootstrap), Seed = parsed.GetValue(seed),
                    Holdout = held,
                    Exponents = kind == Method.Constants ? ScalingLaw.Refit : null,
                }, parsed.GetValue(points)!.Length == 0, streams),
            };
            if (parsed.GetValue(output) is { } file)
            {
                string chart = Path.ChangeExtension(file, ".html");
                ScalingReport.Save(file, text);
                ScalingReport.Save(chart, page);
                streams.Messages.WriteLine($"Fit: {file}\nCharts: {chart}");
            }
            if (parsed.GetValue(json)) streams.Data.Write(text);
            else show();
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static List<ScalingRun> Load(string[] folders, string[] tables, string loss)
    {
        if (folders.Length + tables.Length == 0)
            throw new UsageException("which runs? Give run folders, or a table with --points.");
        try
        {
            return [.. folders.SelectMany(folder => ScalingRuns.Load(folder, loss)), .. tables.SelectMany(ScalingRuns.ReadTable)];
        }
        catch (RunFolderException exception)
        {
            throw new UsageException(exception.Message);
        }
    }

    /// <summary>Runs that do not allow a fit are wrong input, not a failure.</summary>
    private static T Try<T>(Func<T> fit)
    {
        try
        {
            return fit();
        }
        catch (ArgumentException exception)
        {
            throw new UsageException(exception.Message.Split(" (Parameter")[0]);
        }
    }

    private static (string Page, string Json, Action Show) Loss(
        List<ScalingRun> runs, LossStudyOptions options, bool own, Streams streams)
    {
        RequireColumns(runs, run => run.Point.Parameters, "parameters");
        RequireColumns(runs, run => run.Point.Tokens, "tokens");
        RequireColumns(runs, run => run.Point.Loss, "loss");
        var study = Try(() => LossStudy.Make(runs, own ? ScalingRuns.Counting : "what the table's column counts", options));
        return (ScalingReport.Page(study), study.ToJson(), Show);

        void Show()
        {
            streams.Data.WriteLine($"{ScalingReport.Formula(study.Law)} N: {study.Counting}.");
            var table = new TextTable("figure", "value", "95% from", "to");
            foreach (var figure in study.Figures) table.Add(figure.Name, Text(figure.Value), Text(figure.Low), Text(figure.High));
            table.Write(streams);
            var fitted = new TextTable("run", "N", "D", "loss", "law", "error %", "");
            foreach (var run in study.Runs) Add(fitted, run, "");
            if (study.HeldOut is { } held)
                Add(fitted, held, held.Low is null ? "held out" : $"held out; 95% {Text(held.Low)} to {Text(held.High)}");
            fitted.Write(streams);
            streams.Data.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{study.Runs.Count} runs, root mean square error {study.RootMeanSquarePercent:0.###}%"));
            foreach (string warning in study.Warnings) streams.Messages.WriteLine($"Careful: {warning}");
        }

        static void Add(TextTable table, FittedRun run, string note) =>
            table.Add(run.Name, Text(run.Parameters), Text(run.Tokens), Text(run.Loss),
            Text(run.Predicted), run.ErrorPercent.ToString("0.00", CultureInfo.InvariantCulture), note);
    }

    private static (string Page, string Json, Action Show) IsoFlop(List<ScalingRun> runs, string? holdout, Streams streams)
    {
        RequireColumns(runs, run => run.Point.Tokens, "tokens");
        RequireColumns(runs, run => run.Point.Loss, "loss");
        RequireColumns(runs, run => run.Operations, "parameters (or flops)");
        if (holdout is not (null or LossStudy.Largest))
            throw new UsageException("--holdout: isoflop holds out a whole budget; only 'largest' is possible.");
        var all = Try(() => IsoFlopFit.Fit([.. runs.Select(run => (run.Operations, run.Point))]));
        var fit = all;
        if (holdout is not null)
        {
            // A budget's runs may cost a little more or less than their mean.
            double below = Math.Sqrt(all.Budgets[^2].Operations * all.Budgets[^1].Operations);
            fit = Try(() => IsoFlopFit.Fit([.. runs.Where(run => run.Operations < below)
                .Select(run => (run.Operations, run.Point))]));
        }
        return (ScalingReport.Page(fit), ScalingReport.Json(fit), Show);

        void Show()
        {
            streams.Data.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"D*(C) = {fit.Tokens.Coefficient:R} C^{fit.Tokens.Exponent:R}"));
            streams.Data.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"N*(C) = {fit.Parameters.Coefficient:R} C^{fit.Parameters.Exponent:R}"));
            var table = new TextTable("C", "runs", "D*", "N*", "loss", "by the law D*", "error %", "careful");
            foreach (var budget in all.Budgets)
            {
                double predicted = fit.Tokens.At(budget.Operations);
                bool held = budget == all.Budgets[^1] && fit != all;
                table.Add(Text(budget.Operations), Text(budget.Runs), Text(budget.Tokens), Text(budget.Parameters),
                    Text(budget.Loss), Text(predicted), Text(100 * (predicted / budget.Tokens - 1)),
                    string.Join("; ", held ? budget.Warnings.Prepend("held out") : budget.Warnings));
            }
            table.Write(streams);
        }
    }

    private static (string Page, string Json, Action Show) Downstream(
        List<ScalingRun> runs, string? holdout, double chance, Streams streams)
    {
        RequireColumns(runs, run => run.Nll, "nll");
        RequireColumns(runs, run => run.Accuracy, "accuracy");
        var held = LossStudy.HeldOutOf(runs, holdout);
        var used = runs.Where(run => run != held).ToArray();
        var models = used.Select(run => new DownstreamPoint(run.Operations, run.Nll, run.Accuracy)).ToArray();
        var fit = Try(() => DownstreamFit.Fit(models, chance));
        return (ScalingReport.Page(fit, used), ScalingReport.Json(fit), Show);

        void Show()
        {
            var table = new TextTable("model", "C", "nll", "by the line", "accuracy", "by nll", "by C", "");
            foreach (var run in runs)
            {
                double nll = fit.NllAt(run.Operations);
                table.Add(run.Name, Text(run.Operations), Text(run.Nll), Text(nll), Text(run.Accuracy),
                    Text(fit.AccuracyAt(run.Nll)),
                    Text(fit.AccuracyAt(nll)), run == held ? "held out" : "");
            }
            table.Write(streams);
            streams.Data.WriteLine($"NLL = {Text(fit.Intercept)} + {Text(fit.Slope)} ln C; accuracy {Text(fit.Chance)} to {Text(fit.Ceiling)}, "
                + $"steepness {Text(fit.Steepness)}, midpoint {Text(fit.Midpoint)}");
        }
    }

    private static void RequireColumns(List<ScalingRun> runs, Func<ScalingRun, double> figure, string name)
    {
        if (runs.FirstOrDefault(run => !double.IsFinite(figure(run))) is { } run)
            throw new UsageException($"{run.Name} has no {name}; this method needs it (from a step of its run, or a column of a table given with --points).");
    }

    private static string Text(double? value) => value is { } number ? ScalingReport.Number(number) : "";

    private static void RequireRange(OptionResult result, int least, int most)
    {
        if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out int given) && (given < least || given > most))
            result.AddError($"{result.Option.Name} must be from {least} to {most}.");
    }
}
