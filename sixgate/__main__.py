from sixgate.cli import main

main()
