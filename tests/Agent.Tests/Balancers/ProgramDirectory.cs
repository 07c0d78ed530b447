namespace Decant.Agent.Tests.Balancers;

/// <summary>Programs of a test's own, in a directory that keeps their state.</summary>
internal sealed class ProgramDirectory : IDisposable
{
    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly TemporaryDirectory directory = new();

    public string this[string name] => directory[name];

    /// <summary>Writes an executable; <c>DIRECTORY</c> in it stands for this directory.</summary>
    public string Write(string name, string text)
    {
        File.WriteAllText(directory[name], text.Replace("DIRECTORY", directory.Path, StringComparison.Ordinal));
        File.SetUnixFileMode(directory[name], Executable);
        return directory[name];
    }

    public void Dispose() => directory.Dispose();
}
