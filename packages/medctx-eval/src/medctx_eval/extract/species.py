"""Second names of organisms that medicine abbreviates ("E. coli"), which look like a letter and a lower-case word."""

SPECIES = frozenset(
    """
    abortus acnes aerogenes aeruginosa agalactiae albicans americanus anthracis asteroides aureus auris avium bancrofti
    baumannii botulinum bovis brucei burgdorferi burnetii canis capsulatum carinii catarrhalis cepacia cereus
    cerevisiae cholerae cloacae coli cruzi dermatitidis difficile diphtheriae donovani duodenale dysenteriae elegans
    enterica enterocolitica epidermidis faecalis faecium falciparum flexneri fragilis freundii fumigatus gallolyticus
    glabrata gondii gonorrhoeae granulosus haematobium henselae histolytica immitis influenzae israelii japonicum
    jejuni jirovecii kansasii knowlesi krusei lamblia leprae lugdunensis lumbricoides malariae maltophilia mansoni
    marcescens marinum medinensis melitensis meningitidis mirabilis monocytogenes morganii multilocularis mutans
    neoformans ovale pallidum parahaemolyticus parvum perfringens pertussis pestis pneumoniae pneumophila psittaci
    pylori pyogenes quintana rickettsii saginata sanguinis saprophyticus scabiei solium sonnei spiralis stercoralis
    subtilis tetani trachomatis trichiura tropicalis tuberculosis tularensis typhi vaginalis vermicularis vivax
    volvulus vulgaris vulnificus
    """.split()
)
