using System.CommandLine;
using Finery.Cli.Inference;
using Finery.Cli.Terminal;
using Finery.Workflow.Runs;

namespace Finery.Cli.Commands;

/// <summary><c>finery generate</c>: continues a text.</summary>
public static class GenerateCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("generate", "Continue a text with a model.");
        var model = new ModelArgument(command);
        var prompt = new Argument<string?>("prompt") { Description = "The text; read from stdin when piped.",
            Arity = ArgumentArity.ZeroOrOne };
        command.Add(prompt);
        var sampling = new SamplingOptions(command);
        command.SetAction(parsed =>
        {
            var request = sampling.Read(parsed);
            var streams = CommandLine.StreamsOf(parsed);
            string text = parsed.GetValue(prompt) ?? (Console.IsInputRedirected
                ? Console.In.ReadToEnd().TrimEnd('\r', '\n')
                : throw new UsageException("give a prompt as the second argument, or pipe one in: echo \"Gets the\" | finery " +
                    "generate MODEL"));
            using var engine = model.Load(parsed, streams);
            using var interruption = new Interruption("Stopping.");
            int[] ids = Fitting(engine, engine.EncodePrompt(text));
            try
            {
                foreach (var piece in engine.Generate(ids, request, interruption.Stop))
                {
                    streams.Data.Write(piece.Text);
                    streams.Data.Flush();
                }
            }
            catch (OperationCanceledException)
            {
                streams.Data.WriteLine();
                return (int)ExitCode.SigInt;
            }
            streams.Data.WriteLine();
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static int[] Fitting(TextEngine engine, int[] ids) => ids.Length < engine.ContextLength ? ids
        : throw new UsageException(
        $"the prompt has {ids.Length} tokens; this model's context is {engine.ContextLength} tokens. Shorten the prompt.");
}
