using System.CommandLine;
using Finery.Cli.Inference;
using Finery.Cli.Terminal;

namespace Finery.Cli.Commands;

/// <summary>The argument and flag with which <c>generate</c>, <c>chat</c> and <c>serve</c> name a model.</summary>
public sealed class ModelArgument
{
    private readonly Argument<string?> _model = new("model")
    {
        Description = "Model folder, or run folder (its last model). Default: the newest run below ./runs.",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private readonly Option<int> _threads = ThreadsOption();

    /// <summary>Adds both to a command.</summary>
    public ModelArgument(Command command)
    {
        command.Add(_model);
        command.Add(_threads);
    }

    /// <summary>A flag for the number of threads.</summary>
    public static Option<int> ThreadsOption()
    {
        var option = new Option<int>("--threads")
        {
            Description = "Threads to compute with; never changes a result.",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, out int threads) && threads is < 1 or > 1024)
                result.AddError("--threads must be from 1 to 1024.");
        });
        return option;
    }

    /// <summary>Loads the model.</summary>
    public TextEngine Load(ParseResult parsed, Streams streams)
    {
        var located = ModelLocator.Find(parsed.GetValue(_model));
        if (streams.MessagesAnimated) streams.Messages.WriteLine($"Loading {located.Folder}");
        return TextEngine.Load(located.Folder, parsed.GetValue(_threads), located.Id);
    }
}
