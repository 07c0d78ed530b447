using System.CommandLine;

namespace Decant.Controller.Commands;

/// <summary>A command whose help shows how it is used.</summary>
/// <param name="name">What is typed.</param>
/// <param name="description">One sentence.</param>
/// <param name="example">A command line that works as it stands, given the names in the manual.</param>
internal sealed class OperatorCommand(string name, string description, string example) : Command(name, description)
{
    /// <summary>A command line.</summary>
    public string Example => example;
}
